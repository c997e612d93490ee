package session

import (
	"encoding/binary"
	"errors"

	"github.com/emersion/go-milter"
)

const (
	// newestVersion is the protocol that Postfix 2.6 and later speak.
	newestVersion = 6
	// optnegSize is the length of version, actions and steps.
	optnegSize = 12
)

// actionsWanted is what a reply may ask for.
const actionsWanted = milter.OptAddHeader | milter.OptChangeHeader | milter.OptQuarantine | milter.OptSetSymList

// stepsWanted asks for silence on all steps but the end of the message, which
// saves a round trip for each of them, and for the blank after a field's
// colon, without which no DKIM signature in simple form could be verified.
const stepsWanted = milter.OptNoUnknown | milter.OptHeaderLeadingSpace |
	milter.OptNoConnReply | milter.OptNoHeloReply | milter.OptNoMailReply | milter.OptNoRcptReply |
	milter.OptNoDataReply | milter.OptNoUnknownReply | milter.OptNoHeaderReply | milter.OptNoEOHReply |
	milter.OptNoBodyReply

// macrosWanted makes us independent of the milter_*_macros of main.cf. TLS is
// asked for at MAIL too: a client may go on after STARTTLS without a new EHLO.
var macrosWanted = map[milter.Stage][]string{
	milter.StageConnect:  {"j", "v", "{daemon_name}", "{daemon_addr}", "{daemon_port}"},
	milter.StageHelo:     {"{tls_version}", "{cipher}", "{cipher_bits}", "{cert_subject}", "{cert_issuer}"},
	milter.StageMailFrom: {"i", "{tls_version}", "{cipher}", "{auth_type}", "{auth_authen}", "{auth_author}", "{mail_addr}"},
	milter.StageData:     {"i"},
	milter.StageEOH:      {"i"},
	milter.StageEOM:      {"i"},
}

// terms is what both sides agreed on.
type terms struct {
	version uint32
	actions milter.OptAction
	steps   milter.OptProtocol
}

var errOffer = errors.New("malformed offer")

// agree answers the MTA's offer with what of it we want.
func agree(offer []byte) (terms, error) {
	if len(offer) < optnegSize {
		return terms{}, errOffer
	}
	version := binary.BigEndian.Uint32(offer)
	if version < 2 {
		return terms{}, errOffer
	}
	return terms{
		version: min(version, newestVersion),
		actions: actionsWanted & milter.OptAction(binary.BigEndian.Uint32(offer[4:])),
		steps:   stepsWanted & milter.OptProtocol(binary.BigEndian.Uint32(offer[8:])),
	}, nil
}

// rewrite puts the terms into the library's reply to the offer. The library
// always says version 2 and all of its masks; Postfix takes an action that it
// did not offer for a fault and falls back to milter_default_action.
func (t terms) rewrite(reply []byte) []byte {
	const head = lengthSize + 1
	out := append([]byte(nil), reply...)
	binary.BigEndian.PutUint32(out[head:], t.version)
	binary.BigEndian.PutUint32(out[head+4:], uint32(t.actions))
	binary.BigEndian.PutUint32(out[head+8:], uint32(t.steps))
	if t.actions&milter.OptSetSymList == 0 {
		out = out[:head+optnegSize]
	}
	binary.BigEndian.PutUint32(out, uint32(len(out)-lengthSize))
	return out
}

// silent tells whether the MTA waits for no reply to the step of this flag.
func (t terms) silent(flag milter.OptProtocol) bool { return t.steps&flag != 0 }

// leadingSpace tells whether values come and go with the blank after the colon.
func (t terms) leadingSpace() bool { return t.steps&milter.OptHeaderLeadingSpace != 0 }
