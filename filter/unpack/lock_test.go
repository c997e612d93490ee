package unpack

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
	"sekisho/filter/key"
	"sekisho/filter/testfile"
)

// madeBy reads a container that a real program made; testdata/MANIFEST
// tells which and how.
func madeBy(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(testfile.Root(t), "testdata/containers", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// unlocked is what came out of a container: its members by name with "*" for
// those that stayed shut, and the sources of the keys that opened it.
func unlocked(t *testing.T, format string, b []byte, ring *key.Ring, limits budget.Limits) (members, sources []string, bodies map[string]string, found []finding.Finding) {
	t.Helper()
	bud := budget.New(limits)
	bud.Confine()
	bodies = map[string]string{}
	_, found = Unlock(&entity.Entity{Path: "2", Body: b, Names: []entity.Name{{Text: "specimen"}}}, []string{format}, ring, bud, func(e *entity.Entity) {
		name := e.Name()
		if name == "CMT" {
			return // RAR's comments are members of their own
		}
		if e.Encrypted {
			name += "*"
		}
		members = append(members, name)
		bodies[e.Name()] = string(e.Body)
	})
	for _, f := range found {
		if f.Kind == finding.ContainerDecrypted && !slices.Contains(sources, f.Evidence["source"]) {
			sources = append(sources, f.Evidence["source"])
		}
		for k, v := range f.Evidence {
			for _, secret := range ring.Keys() {
				if len(secret.Text) > 3 && strings.Contains(v, secret.Text) {
					t.Errorf("finding %s tells the password in %s=%q", f.Kind, k, v)
				}
			}
		}
	}
	slices.Sort(members)
	return members, sources, bodies, found
}

var lockedSpecimens = []struct {
	file, format, password string
	members                []string // "" for a name that is hidden as well
	hidden                 bool
}{
	{"zip/infozip-zipcrypto.zip", "zip", "kanmon1024", []string{"report.txt", "見積書.txt"}, false},
	{"zip/infozip-stream.zip", "zip", "kanmon1024", []string{"-"}, false},
	{"zip/infozip-cp932-password.zip", "zip", "関所1024", []string{"report.txt"}, false},
	{"zip/7zip-aes256.zip", "zip", "kanmon1024", []string{"report.txt", "見積書.txt"}, false},
	{"zip/7zip-aes128-bzip2.zip", "zip", "kanmon1024", []string{"report.txt"}, false},
	{"zip/7zip-zipcrypto-lzma.zip", "zip", "kanmon1024", []string{"report.txt"}, false},
	{"zip/pkware-strong-aes256.zip", "zip", "12345678", []string{"bar.txt", "foo.txt"}, false},
	{"rar/rar3-headers.rar", "rar", "password", []string{"file1.txt", "file2.txt"}, true},
	{"rar/rar5-content.rar", "rar", "password", []string{"stest1.txt", "stest2.txt"}, false},
	{"office/word-2007-standard.docx", "ole", "tika", []string{"specimen"}, true},
	{"office/word-agile.docx", "ole", "password", []string{"specimen"}, true},
	{"7z/7zip-aes.7z", "7z", "kanmon1024", []string{"report.txt", "見積書.txt"}, false},
	{"7z/7zip-hidden.7z", "7z", "kanmon1024", []string{"report.txt", "見積書.txt"}, true},
	{"7z/7zip-stored.7z", "7z", "kanmon1024", []string{"report.txt", "見積書.txt"}, false},
}

func TestLockedSpecimens(t *testing.T) {
	report := strings.Repeat("honest line of a report\n", 400)
	for _, tt := range lockedSpecimens {
		b := madeBy(t, tt.file)
		shut := make([]string, len(tt.members))
		for i, m := range tt.members {
			shut[i] = m + "*"
		}
		if tt.hidden {
			shut = nil
		}
		t.Run(tt.file+"/without a key", func(t *testing.T) {
			members, sources, _, found := unlocked(t, tt.format, b, nil, budget.Default)
			if !slices.Equal(members, shut) || len(sources) > 0 || !has(found, finding.ContainerEncrypted) {
				t.Errorf("members %q, opened by %q, findings %v", members, sources, found)
			}
		})
		t.Run(tt.file+"/with wrong keys", func(t *testing.T) {
			ring := key.NewRing(key.Key{Text: "kanmon1023"}, key.Key{Text: ""}, key.Key{Text: "関所"})
			members, sources, _, found := unlocked(t, tt.format, b, ring, budget.Default)
			if !slices.Equal(members, shut) || len(sources) > 0 || !has(found, finding.ContainerEncrypted) {
				t.Errorf("members %q, opened by %q, findings %v", members, sources, found)
			}
		})
		t.Run(tt.file+"/with its key among others", func(t *testing.T) {
			ring := key.NewRing(key.Key{Text: "wrong", Source: key.List}, key.Key{Text: tt.password, Source: key.Body}, key.Key{Text: "also wrong"})
			members, sources, bodies, found := unlocked(t, tt.format, b, ring, budget.Default)
			if !slices.Equal(members, tt.members) || !slices.Equal(sources, []string{key.Body}) || has(found, finding.ContainerEncrypted) {
				t.Errorf("members %q, opened by %q, findings %v", members, sources, found)
			}
			for _, name := range []string{"report.txt", "-"} {
				if body, ok := bodies[name]; ok && body != report {
					t.Errorf("%s holds %d bytes that are not the report's", name, len(body))
				}
			}
			if got := ring.Keys()[0].Text; got != tt.password {
				t.Errorf("the first key afterwards is %q, want the one that fitted", got)
			}
		})
		t.Run(tt.file+"/without room for a try", func(t *testing.T) {
			limits := budget.Default
			limits.Tries = 4
			members, _, _, found := unlocked(t, tt.format, b, key.NewRing(key.Key{Text: tt.password}), limits)
			if !slices.Equal(members, shut) || !untried(found) {
				t.Errorf("members %q, findings %v: want it said that keys were left", members, found)
			}
		})
	}
}

func has(found []finding.Finding, kind finding.Kind) bool {
	return slices.ContainsFunc(found, func(f finding.Finding) bool { return f.Kind == kind })
}

func untried(found []finding.Finding) bool {
	return slices.ContainsFunc(found, func(f finding.Finding) bool { return f.Evidence["untried"] != "" })
}

// TestOfficeDefault: what Office opens without asking is opened here, too.
func TestOfficeDefault(t *testing.T) {
	b := madeBy(t, "office/excel-agile-default.xlsx")
	_, sources, bodies, found := unlocked(t, "ole", b, nil, budget.Default)
	if !slices.Equal(sources, []string{key.Default}) || !strings.HasPrefix(bodies["specimen"], "PK\x03\x04") {
		t.Errorf("opened by %q, findings %v", sources, found)
	}
}

// TestOldOffice: binary documents tell of their lock in their first bytes.
func TestOldOffice(t *testing.T) {
	doc := func(flags uint16) []byte {
		b := make([]byte, 32)
		binary.LittleEndian.PutUint16(b, 0xa5ec)
		binary.LittleEndian.PutUint16(b[10:], flags)
		return b
	}
	bof := []byte{9, 8, 8, 0, 0, 6, 5, 0, 0, 0, 0, 0}
	for _, tt := range []struct {
		name, want string
		got        string
	}{
		{"a plain document", "", docCrypt(doc(0x1200))},
		{"RC4", "office-rc4", docCrypt(doc(0x1300))},
		{"XOR", "office-xor", docCrypt(doc(0x9300))},
		{"no document", "", docCrypt([]byte("WordDocument"))},
		{"a plain workbook", "", xlsCrypt(append(bytes.Clone(bof), 0xe1, 0, 2, 0, 0xb0, 4))},
		{"a workbook under RC4", "office-rc4", xlsCrypt(append(bytes.Clone(bof), 0x2f, 0, 54, 0, 1, 0))},
		{"behind write protection", "office-rc4", xlsCrypt(append(bytes.Clone(bof), 0x86, 0, 0, 0, 0x2f, 0, 54, 0, 1, 0))},
		{"a workbook under XOR", "office-xor", xlsCrypt(append(bytes.Clone(bof), 0x2f, 0, 6, 0, 0, 0))},
		{"plain slides", "", pptCrypt([]byte{0, 0, 0xf6, 0x0f, 20, 0, 0, 0, 20, 0, 0, 0, 0x5f, 0xc0, 0x91, 0xe3})},
		{"locked slides", "office-rc4", pptCrypt([]byte{0, 0, 0xf6, 0x0f, 20, 0, 0, 0, 20, 0, 0, 0, 0xdf, 0xc4, 0xd1, 0xf3})},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, tt.got, tt.want)
		}
	}
}

// TestAgileBounds: a header that asks for more than the budget lends is named,
// not followed.
func TestAgileBounds(t *testing.T) {
	b := madeBy(t, "office/word-agile.docx")
	greedy := bytes.Replace(b, []byte(`spinCount="100000"`), []byte(`spinCount="999999"`), 1)
	if bytes.Equal(b, greedy) {
		t.Fatal("the specimen has no such count")
	}
	limits := budget.Default
	limits.Tries = 64 << 20
	_, sources, _, found := unlocked(t, "ole", greedy, key.NewRing(key.Key{Text: "password"}), limits)
	if len(sources) > 0 || !has(found, finding.ContainerEncrypted) || !untried(found) {
		t.Errorf("opened by %q, findings %v", sources, found)
	}
}

// TestDamagedBehindPassword: with the right key, damage is damage and no
// missing password.
func TestDamagedBehindPassword(t *testing.T) {
	b := bytes.Clone(madeBy(t, "zip/7zip-aes128-bzip2.zip"))
	b[100] ^= 1 // in the packed data
	_, _, _, found := unlocked(t, "zip", b, key.NewRing(key.Key{Text: "kanmon1024"}), budget.Default)
	if has(found, finding.ContainerDecrypted) || !has(found, finding.ContainerEncrypted) {
		t.Errorf("findings %v: content that nothing proves was called opened", found)
	}
}

// FuzzLocked: with keys as without, the same bytes give the same answer within
// the budget, and no password stands in a finding.
func FuzzLocked(f *testing.F) {
	for _, s := range lockedSpecimens {
		f.Add(madeBy(f, s.file), s.format)
	}
	f.Fuzz(func(t *testing.T, b []byte, format string) {
		var before string
		for i := range 2 {
			bud := budget.New(budget.Small)
			bud.Confine()
			var out strings.Builder
			_, found := Unlock(&entity.Entity{Path: "2", Body: b}, []string{format}, key.NewRing(key.Key{Text: "kanmon1024"}, key.Key{Text: "password"}), bud,
				func(e *entity.Entity) { out.WriteString(e.Path + " " + string(e.Body) + "\n") })
			if bud.Tries() > 2*budget.Small.Tries+budget.Small.Bytes {
				t.Fatalf("%d bytes of tries, limit %d", bud.Tries(), budget.Small.Tries)
			}
			for _, f := range found {
				out.WriteString(string(f.Kind) + f.Path + "\n")
				for _, v := range f.Evidence {
					if strings.Contains(v, "kanmon1024") && !bytes.Contains(b, []byte("kanmon1024")) {
						t.Fatalf("%s tells the password: %q", f.Kind, v)
					}
				}
			}
			if i == 1 && out.String() != before {
				t.Fatal("same bytes, two answers")
			}
			before = out.String()
		}
	})
}
