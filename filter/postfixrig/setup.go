package postfixrig

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// mainCF is main.cf. Everything may be relayed, since everything goes to the
// sink: a client that XCLIENT makes a stranger must be let in. And every client
// is treated as a stranger: its header gets no Date or From from us.
const mainCF = `compatibility_level = 3.6
myhostname = mx.rig.test
mydomain = rig.test
myorigin = rig.test
mydestination =
local_recipient_maps =
local_transport = error:nothing is local here
alias_maps =
alias_database =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
local_header_rewrite_clients =
smtpd_relay_restrictions = check_client_access static:OK, reject
smtpd_authorized_xclient_hosts = 127.0.0.0/8
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_error_sleep_time = 0
smtpd_soft_error_limit = 1000
smtpd_hard_error_limit = 1000
smtpd_forbid_bare_newline = no
smtpd_peername_lookup = no
disable_dns_lookups = yes
smtp_host_lookup = native
smtp_address_preference = ipv4
smtputf8_enable = yes
in_flow_delay = 0
minimal_backoff_time = 2s
maximal_backoff_time = 4s
queue_run_delay = 2s
default_process_limit = 50
mail_owner = postfix
setgid_group = postdrop
milter_default_action = tempfail
milter_connect_timeout = 5s
milter_command_timeout = 30s
milter_content_timeout = 60s
milter_protocol = 6
`

// masterCF is master.cf; the first two services are the doors with and
// without the milters.
const masterCF = `%s inet n - n - - smtpd
%s inet n - n - - smtpd -o smtpd_milters=
pickup    unix  n - n 60 1 pickup
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
verify    unix  - - n - 1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n - - proxymap
smtp      unix  - - n - - smtp
relay     unix  - - n - - smtp
showq     unix  n - n - - showq
error     unix  - - n - - error
retry     unix  - - n - - error
discard   unix  - - n - - discard
anvil     unix  - - n - 1 anvil
scache    unix  - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
`

// prepare makes the directories and writes the configuration.
func (p *Postfix) prepare() error {
	if err := p.makeDirs(); err != nil {
		return err
	}
	ports, err := freePorts(2)
	if err != nil {
		return err
	}
	p.smtp, p.reinject = ports[0], ports[1]
	settings, err := p.settings()
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(p.conf(), "main.cf"), []byte(settings), 0o644),
		os.WriteFile(filepath.Join(p.conf(), "master.cf"), fmt.Appendf(nil, masterCF, p.smtp, p.reinject), 0o644),
	)
}

func (p *Postfix) makeDirs() (err error) {
	if p.dir == "" {
		p.own = true
		if p.dir, err = os.MkdirTemp("", "postfixrig-"); err != nil {
			return err
		}
	}
	if p.dir, err = filepath.Abs(p.dir); err != nil {
		return err
	}
	for _, name := range []string{"", "conf", "queue", "data"} {
		dir := filepath.Join(p.dir, name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		// Whatever the umask was: Postfix's user must get in.
		if err := os.Chmod(dir, 0o755); err != nil {
			return err
		}
	}
	if err := walkable(filepath.Dir(p.dir)); err != nil {
		return err
	}
	return chownPostfix(filepath.Join(p.dir, "data"))
}

// walkable tells whether every directory up to the root lets others through.
func walkable(dir string) error {
	for {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o001 == 0 {
			return fmt.Errorf("%s is closed to Postfix's user: give another Options.Dir, or none", dir)
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
		dir = filepath.Dir(dir)
	}
}

func chownPostfix(dir string) error {
	u, err := user.Lookup("postfix")
	if err != nil {
		return err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return err
	}
	return os.Chown(dir, uid, -1)
}

// freePorts finds loopback ports that nobody uses at the moment.
func freePorts(n int) ([]string, error) {
	var addrs []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		addrs = append(addrs, l.Addr().String())
	}
	return addrs, nil
}

// settings is the text of main.cf.
func (p *Postfix) settings() (string, error) {
	directories, err := systemDirectories()
	if err != nil {
		return "", err
	}
	lines := append([]string{mainCF}, directories...)
	lines = append(lines,
		"queue_directory = "+filepath.Join(p.dir, "queue"),
		"data_directory = "+filepath.Join(p.dir, "data"),
		"maillog_file = "+filepath.Join(p.dir, "mail.log"),
		"maillog_file_prefixes = "+p.dir,
		"message_size_limit = "+strconv.FormatInt(orDefault(p.opts.MessageSizeLimit, 64<<20), 10),
		"smtpd_milters = "+strings.Join(p.opts.Milters, ", "),
	)
	if p.opts.SinkAddr != "" {
		host, port, err := net.SplitHostPort(p.opts.SinkAddr)
		if err != nil {
			return "", err
		}
		lines = append(lines, fmt.Sprintf("relayhost = [%s]:%s", host, port))
	}
	if p.opts.TLS {
		certificate, err := p.writeCertificate()
		if err != nil {
			return "", err
		}
		lines = append(lines, "smtpd_tls_security_level = may", "smtpd_tls_chain_files = "+certificate,
			"smtpd_tls_loglevel = 1", "tls_random_source = dev:/dev/urandom")
	}
	lines = append(lines, p.opts.Extra...)
	return strings.Join(lastOfEach(strings.Split(strings.Join(lines, "\n"), "\n")), "\n") + "\n", nil
}

// lastOfEach keeps of several settings of one name the last. Postfix does the
// same, but each of its programs warns of every one as it starts: a dozen of
// warnings fill the socket to postlogd, and when that program's own warnings
// meet the full socket before it reads, the whole instance waits for ever.
func lastOfEach(lines []string) []string {
	seen := map[string]bool{}
	var kept []string
	for _, line := range slices.Backward(lines) {
		name, _, _ := strings.Cut(line, "=")
		name = strings.TrimSpace(name)
		if !seen[name] {
			seen[name] = true
			kept = append(kept, line)
		}
	}
	slices.Reverse(kept)
	return kept
}

func orDefault(n, usual int64) int64 {
	if n == 0 {
		return usual
	}
	return n
}

// systemDirectories are the places of Postfix's own programs.
func systemDirectories() ([]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "postconf", "-d", "daemon_directory", "command_directory", "shlib_directory", "meta_directory").Output()
	if err != nil {
		return nil, fmt.Errorf("postconf: %w", err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n"), nil
}
