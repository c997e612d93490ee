# Reads mails with Python's email package: for each, as a line of JSON, what its
# two policies take for the content of leaves. A mail comes as a line that states
# its length in bytes, then the bytes.
import base64
import email
import email.policy
import json
import sys


def leaves(raw, policy):
    """Yields the name and the bytes of every part that holds no other."""
    for part in email.message_from_bytes(raw, policy=policy).walk():
        if part.is_multipart():
            continue
        try:
            body = part.get_payload(decode=True)
            name = part.get_filename() or ""
        except Exception:  # the package breaks on some headers: it shows nothing then
            continue
        yield {"name": str(name).encode("utf-8", "replace").decode(), "body": base64.b64encode(body or b"").decode()}


def read(raw):
    for policy in (email.policy.compat32, email.policy.default):
        try:
            yield from leaves(raw, policy)
        except Exception:
            continue


for line in sys.stdin.buffer:
    raw = sys.stdin.buffer.read(int(line))
    print(json.dumps(list(read(raw))), flush=True)
