package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/miekg/dns"
	"github.com/spf13/cobra"

	"sekisho/filter/config"
	"sekisho/filter/escape"
	"sekisho/filter/quarantine/sqlite"
	"sekisho/filter/report"
)

// check is one line of `doctor`.
type check struct {
	Name   string `json:"check"`
	Status string `json:"status"` // ok, warn, fail, skip
	Detail string `json:"detail"`
	Hint   string `json:"hint,omitempty"`
}

func doctorCommand() *cobra.Command {
	var asJSON bool
	var postfixDir string
	c := &cobra.Command{
		Use: "doctor", Short: "check socket, store, DNS, rules and Postfix, and say what to fix", Args: noArgs,
		Long: `Check the configuration, the rules, the milter socket, the store, the smtpd that
takes released mail, DNS, and the settings of Postfix that our promises rest on
(docs/postfix.md). Each line says ok, warn, fail or skip. Nothing is changed.

Exit status: 3 when something should be fixed.`,
		Example: "  sekisho doctor\n  sekisho doctor --postfix-config /etc/postfix-in",
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.Flags().StringVar(&postfixDir, "postfix-config", "", "Postfix configuration folder (default: Postfix's own)")
	c.RunE = func(c *cobra.Command, _ []string) error {
		checks := diagnose(c, postfixDir)
		if err := printChecks(c, checks, asJSON); err != nil {
			return err
		}
		for _, k := range checks {
			if k.Status == "warn" || k.Status == "fail" {
				return errFound
			}
		}
		return nil
	}
	return c
}

func diagnose(c *cobra.Command, postfixDir string) []check {
	cfg, err := loadConfig(c)
	if err != nil {
		return failures("configuration", err)
	}
	checks := []check{{Name: "configuration", Status: "ok", Detail: "read"}}
	if set, err := loadRules(cfg); err != nil {
		checks = append(checks, failures("rules", err)...)
	} else {
		checks = append(checks, check{Name: "rules", Status: "ok", Detail: fmt.Sprintf("%d rules, set %s", len(set.Rules()), set.ID())})
	}
	for _, address := range cfg.Listen {
		checks = append(checks, checkSocket(address))
	}
	checks = append(checks, checkSandbox(cfg), checkStore(cfg), checkRelease(cfg), checkDNS(c.Context(), cfg))
	return append(checks, checkPostfix(c.Context(), cfg, postfixDir)...)
}

func failures(name string, err error) []check {
	var out []check
	for _, e := range flatten(err) {
		out = append(out, check{name, "fail", e.Error(), hint(e)})
	}
	return out
}

// checkSocket knocks at the milter socket; the daemon hangs up on a peer that
// says nothing, so this does no harm.
func checkSocket(address string) check {
	network, where, ok := strings.Cut(address, ":")
	if network == "inet" {
		network = "tcp"
	}
	k := check{Name: "socket", Detail: address + " answers", Status: "ok"}
	if !ok || network != "tcp" && network != "unix" {
		return check{"socket", "fail", fmt.Sprintf("%q is neither inet:HOST:PORT nor unix:/PATH", address), "correct listen"}
	}
	conn, err := net.DialTimeout(network, where, 2*time.Second)
	if err != nil {
		return check{"socket", "fail", err.Error(), "start the daemon: sekisho serve"}
	}
	if err := conn.Close(); err != nil {
		k.Detail += ", but closing: " + err.Error()
	}
	return k
}

func checkStore(cfg *config.Config) check {
	if _, err := os.Stat(cfg.QuarantineDir); err != nil {
		return check{"store", "warn", err.Error(), "the daemon makes it at its first start"}
	}
	st, err := sqlite.Open(cfg.QuarantineDir, sqlite.Options{})
	if err != nil {
		return check{"store", "fail", err.Error(), hint(err)}
	}
	defer st.Close()
	if err := st.Healthy(); err != nil {
		return check{"store", "fail", err.Error(), hint(err)}
	}
	return check{Name: "store", Status: "ok", Detail: cfg.QuarantineDir}
}

// checkRelease waits for the greeting of the smtpd that takes released mail:
// without it every release fails, which is noticed too late otherwise.
func checkRelease(cfg *config.Config) check {
	const wait = 5 * time.Second
	bad := func(cause string) check {
		return check{"release", "warn", cause, "released mail needs an smtpd without this milter: docs/postfix.md shows its master.cf entry"}
	}
	conn, err := net.DialTimeout("tcp", cfg.ReleaseSMTP, wait)
	if err != nil {
		return bad(err.Error())
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(wait)); err != nil {
		return bad(err.Error())
	}
	greeting := make([]byte, len("220 "))
	if _, err := io.ReadFull(conn, greeting); err != nil {
		return bad(cfg.ReleaseSMTP + " does not greet: " + err.Error())
	}
	if !strings.HasPrefix(string(greeting), "220") {
		return bad(fmt.Sprintf("%s greets with %q", cfg.ReleaseSMTP, greeting))
	}
	return check{Name: "release", Status: "ok", Detail: cfg.ReleaseSMTP + " greets"}
}

// checkDNS asks each server for the root's name servers: any answer will do.
func checkDNS(ctx context.Context, cfg *config.Config) check {
	if !cfg.Auth {
		return check{Name: "dns", Status: "skip", Detail: "auth.enabled is false"}
	}
	servers := cfg.DNSServers
	if len(servers) == 0 {
		sys, err := dns.ClientConfigFromFile("/etc/resolv.conf")
		if err != nil {
			return check{"dns", "fail", err.Error(), "set auth.dns"}
		}
		for _, s := range sys.Servers {
			servers = append(servers, net.JoinHostPort(s, sys.Port))
		}
	}
	var errs []error
	for _, s := range servers {
		q := new(dns.Msg).SetQuestion(".", dns.TypeNS)
		client := dns.Client{Timeout: cfg.DNSTimeout}
		if _, _, err := client.ExchangeContext(ctx, q, s); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", s, err))
		}
	}
	if len(servers) == 0 {
		errs = append(errs, errors.New("no server is known"))
	}
	if len(errs) > 0 {
		return check{"dns", "fail", errors.Join(errs...).Error(), "without DNS every sender authentication is temperror; run a local resolver and set auth.dns"}
	}
	return check{Name: "dns", Status: "ok", Detail: strings.Join(servers, " ")}
}

// postconf asks Postfix for its settings; absent settings are left out.
func postconf(ctx context.Context, dir string, names ...string) (map[string]string, error) {
	args := names
	if dir != "" {
		args = append([]string{"-c", dir}, names...)
	}
	var errs strings.Builder
	cmd := exec.CommandContext(ctx, "postconf", args...)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("postconf: %w: %s", err, strings.TrimSpace(errs.String()))
	}
	values := map[string]string{}
	for line := range strings.Lines(string(out)) {
		if name, value, ok := strings.Cut(line, "="); ok {
			values[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
	}
	return values, nil
}

func printChecks(c *cobra.Command, checks []check, asJSON bool) error {
	if asJSON {
		return printJSON(c.OutOrStdout(), map[string]any{"schema": report.Schema, "checks": checks})
	}
	for _, k := range checks {
		if _, err := fmt.Fprintf(c.OutOrStdout(), "%-4s  %-34s %s\n", k.Status, k.Name, escape.Text(k.Detail)); err != nil {
			return err
		}
		if k.Hint != "" && k.Status != "ok" {
			if _, err := fmt.Fprintf(c.OutOrStdout(), "      hint: %s\n", escape.Text(k.Hint)); err != nil {
				return err
			}
		}
	}
	return nil
}
