package sqlite

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"sekisho/filter/quarantine"
	"sekisho/filter/quarantine/storetest"
)

// The test binary becomes a child that works on the store in this variable's
// folder until it is killed.
const (
	childStore = "SEKISHO_TEST_CHILD_STORE"
	childDuty  = "SEKISHO_TEST_CHILD_DUTY"
)

func TestMain(m *testing.M) {
	dir := os.Getenv(childStore)
	if dir == "" {
		os.Exit(m.Run())
	}
	duties := map[string]func(*Store) error{"keep": keepForever, "change": changeForever, "hold": holdClaim}
	st, err := Open(dir, Options{Serve: true})
	if err == nil {
		err = duties[os.Getenv(childDuty)](st)
	}
	fmt.Fprintln(os.Stderr, "child:", err)
	os.Exit(1)
}

// keepForever keeps mails from four writers and prints what was promised.
func keepForever(st *Store) error {
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				n := rand.Int()
				it, err := st.Keep(context.Background(), storetest.Item(1), storetest.Mail(n))
				if err != nil {
					fmt.Fprintln(os.Stderr, "child:", err)
					return
				}
				fmt.Printf("%s %d\n", it.ID, n) // one write: a line is whole or cut
			}
		})
	}
	wg.Wait()
	return nil
}

// changeForever keeps, releases and deletes, and prints each end.
func changeForever(st *Store) error {
	ctx, who := context.Background(), quarantine.Actor{Name: "hanako", Reason: "r"}
	for {
		n := rand.Int()
		it, err := st.Keep(ctx, storetest.Item(1), storetest.Mail(n))
		if err != nil {
			return err
		}
		fmt.Printf("%s %d held\n", it.ID, n)
		if n%2 == 0 {
			if _, err := st.Delete(ctx, it.ID, who); err != nil {
				return err
			}
			fmt.Printf("%s %d deleted\n", it.ID, n)
			continue
		}
		if _, err := st.BeginRelease(ctx, it.ID, who, false); err != nil {
			return err
		}
		fmt.Printf("%s %d releasing\n", it.ID, n)
		if _, err := st.FinishRelease(ctx, it.ID, "250 Ok"); err != nil {
			return err
		}
		fmt.Printf("%s %d released\n", it.ID, n)
	}
}

// holdClaim begins a release of the mail it keeps and waits to be killed.
func holdClaim(st *Store) error {
	it, err := st.Keep(context.Background(), storetest.Item(1), storetest.Mail(1))
	if err != nil {
		return err
	}
	if _, err := st.BeginRelease(context.Background(), it.ID, quarantine.Actor{Name: "taro", Reason: "r"}, false); err != nil {
		return err
	}
	fmt.Println(it.ID, 1, "releasing")
	select {}
}

// child runs a duty, calls at after every line it prints until at says so, and
// kills it. It returns the whole lines.
func child(t *testing.T, dir, duty string, until func(lines int) bool) []string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childStore+"="+dir, childDuty+"="+duty)
	var trouble bytes.Buffer
	cmd.Stderr = &trouble
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var lines []string
	r := bufio.NewReader(out)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			break
		}
		if lines = append(lines, strings.TrimSpace(line)); until(len(lines)) {
			cmd.Process.Kill() // SIGKILL; what it printed meanwhile is read to its end
		}
	}
	cmd.Wait()
	if trouble.Len() > 0 {
		t.Fatalf("child: %s", &trouble)
	}
	return lines
}

// killAfter kills some time after some line, so that kills fall everywhere.
func killAfter() func(int) bool {
	lines := 1 + rand.IntN(40)
	pause := time.Duration(rand.IntN(4000)) * time.Microsecond
	return func(n int) bool {
		if n == lines {
			time.Sleep(pause)
		}
		return n >= lines
	}
}

func TestKilledStoreKeepsEveryPromise(t *testing.T) {
	dir := t.TempDir() + "/q"
	promised := map[quarantine.ID]int{}
	for range 20 {
		for _, line := range child(t, dir, "keep", killAfter()) {
			var id quarantine.ID
			var n int
			if _, err := fmt.Sscan(line, &id, &n); err != nil {
				t.Fatalf("child said %q: %v", line, err)
			}
			promised[id] = n
		}
	}
	st := open(t, dir, Options{Serve: true})
	for id, n := range promised {
		raw, err := st.Open(t.Context(), id)
		if err != nil || !bytes.Equal(raw, storetest.Mail(n)) {
			t.Errorf("Open(%s) = %d bytes, %v, want mail %d", id, len(raw), err, n)
		}
	}
	whole(t, st)
	t.Logf("%d promises, 20 kills", len(promised))
}

func TestKilledChangesEndInOneState(t *testing.T) {
	dir := t.TempDir() + "/q"
	last := map[quarantine.ID]quarantine.State{}
	for range 20 {
		for _, line := range child(t, dir, "change", killAfter()) {
			f := strings.Fields(line)
			last[quarantine.ID(f[0])] = quarantine.State(f[2])
		}
	}
	st := open(t, dir, Options{Serve: true})
	next := map[quarantine.State]string{ // what may follow what was printed
		quarantine.Held: "held releasing deleted", quarantine.Releasing: "releasing released",
		quarantine.Released: "released", quarantine.Deleted: "deleted",
	}
	for id, said := range last {
		it, err := st.Get(t.Context(), id)
		if err != nil || !strings.Contains(next[said], string(it.State)) {
			t.Errorf("Get(%s) = %q, %v, want one of %q", id, it.State, err, next[said])
		}
	}
	whole(t, st)
	t.Logf("%d mails, 20 kills", len(last))
}

func TestReleaseOfADeadProcessIsTakenUp(t *testing.T) {
	dir := t.TempDir() + "/q"
	var id quarantine.ID
	child(t, dir, "hold", func(int) bool {
		st := open(t, dir, Options{})
		items, err := st.List(t.Context(), quarantine.Filter{})
		if err != nil || len(items) != 1 {
			t.Fatalf("List = %d, %v", len(items), err)
		}
		id = items[0].ID
		_, err = st.BeginRelease(t.Context(), id, quarantine.Actor{Name: "hanako", Reason: "r"}, true)
		if err == nil || !strings.Contains(err.Error(), "already being released by taro since") {
			t.Errorf("BeginRelease beside a living one = %v, want refused", err)
		}
		return true
	})
	st := open(t, dir, Options{})
	if it, err := st.BeginRelease(t.Context(), id, quarantine.Actor{Name: "hanako", Reason: "r"}, false); err != nil || it.By != "hanako" {
		t.Errorf("BeginRelease after its death = %+v, %v, want it taken up", it.Standing, err)
	}
}

// whole checks that nothing is wrong with the store and that its folder holds
// nothing without an entry.
func whole(t *testing.T, st *Store) {
	t.Helper()
	problems, err := st.Verify(context.Background())
	if err != nil || len(problems) > 0 {
		t.Errorf("Verify = %v, %v, want nothing", problems, err)
	}
	files, err := st.files()
	if err != nil {
		t.Fatal(err)
	}
	rows, err := st.rows()
	if err != nil {
		t.Fatal(err)
	}
	for id, f := range files {
		if l, ok := rows[id]; f.mail && (!ok || l.state == quarantine.Deleted) {
			t.Errorf("%s is on the disk, listed %v as %q", id, ok, l.state)
		}
	}
}
