package main

import (
	"net"
	"net/textproto"

	"github.com/emersion/go-milter"
)

// acceptAll serves a milter on the named library that accepts everything and
// asks for silence, as the daemon does. Only a signal ends it.
func acceptAll(socket string) error {
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	server := &milter.Server{NewMilter: func() milter.Milter { return silent{} }, Protocol: silence}
	return server.Serve(l)
}

const silence = milter.OptNoUnknown | milter.OptNoData |
	milter.OptNoConnReply | milter.OptNoHeloReply | milter.OptNoMailReply | milter.OptNoRcptReply |
	milter.OptNoHeaderReply | milter.OptNoEOHReply | milter.OptNoBodyReply

// silent answers the end of a message only, with accept.
type silent struct{ milter.NoOpMilter }

func (silent) Connect(string, string, uint16, net.IP, *milter.Modifier) (milter.Response, error) {
	return nil, nil
}

func (silent) Helo(string, *milter.Modifier) (milter.Response, error) { return nil, nil }

func (silent) MailFrom(string, *milter.Modifier) (milter.Response, error) { return nil, nil }

func (silent) RcptTo(string, *milter.Modifier) (milter.Response, error) { return nil, nil }

func (silent) Header(string, string, *milter.Modifier) (milter.Response, error) { return nil, nil }

func (silent) Headers(textproto.MIMEHeader, *milter.Modifier) (milter.Response, error) {
	return nil, nil
}

func (silent) BodyChunk([]byte, *milter.Modifier) (milter.Response, error) { return nil, nil }
