#!/bin/bash
# Installs the Debian packages that the demo and the tests need, if they are
# missing: Postfix (a private instance of it is started, never the system's),
# lhasa, against which our LZH is checked, and Python, whose reading of broken
# mail ours is held to.
set -euo pipefail

missing=()
command -v postfix >/dev/null || [ -x /usr/sbin/postfix ] || missing+=(postfix)
command -v lha >/dev/null || missing+=(lhasa)
command -v python3 >/dev/null || missing+=(python3)
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" != 0 ]; then
	echo "setup: ${missing[*]} must be installed by root: run this with sudo" >&2
	exit 1
fi
echo "setup: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
# "Local only" gives Postfix a configuration of its own that we never touch;
# RUNLEVEL keeps the package from starting a mail server nobody asked for.
echo "postfix postfix/main_mailer_type select Local only" | debconf-set-selections 2>/dev/null || true
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { apt-get update && RUNLEVEL=1 apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
	tail -n 20 "$log" >&2
	echo "setup: apt-get could not install ${missing[*]}" >&2
	exit 1
fi
