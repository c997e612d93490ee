package filter

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sekisho/filter/filetype"
	"sekisho/filter/testfile"
	"sekisho/filter/unpack"
)

// formatNotes is the paragraph of each container in docs/formats.md.
var formatNotes = map[string]string{
	"zip":              "Central directory and local headers are both walked; where they differ, both are shown. Stored, shrink, implode, deflate, deflate64, bzip2, LZMA, xz, zstd and PPMd members, others are named `container.method-unsupported`; zip64; data descriptors; self-extractors. Encrypted members (ZipCrypto, AES, PKWARE's AES) are opened with a password that is known ([passwords](passwords.md)), else named.",
	"lzh":              "Our own decoder of header levels 0 to 3 and the methods of LHA, LArc and PMarc; CP932 and Unicode names; self-extractors; members behind a faulty header.",
	"tar":              "Read on behind damage and behind an end mark, as bsdtar and tar -i do.",
	"gzip":             "The name in its header counts beside that of the file.",
	"bzip2":            "One member, named after the file.",
	"xz":               "One member, named after the file; a dictionary is charged before it is made.",
	"zstd":             "One member, named after the file; the window is charged before it is made.",
	"lz4":              "One member, named after the file.",
	"lzip":             "One member, named after the file; a dictionary is charged before it is made.",
	"compress":         "The `.Z` of UNIX.",
	"cpio":             "Old binary, odc, newc and crc.",
	"ar":               "The long names of GNU and of BSD.",
	"deb":              "An `ar`; its members are opened in their turn.",
	"7z":               "Our own reader: LZMA, LZMA2, deflate, deflate64, bzip2, zstd, brotli, lz4, PPMd, the filters for programs (not those of IA-64 and RISC-V), BCJ2. Dictionaries are charged before they are made. Encrypted content and headers are opened with a password that is known; where only the content is encrypted, names are judged.",
	"rar":              "RAR 1.5 to 7: headers are read by us, both forms of a name, streams and comments too; the quick-open copy of headers is compared. Packed members are opened in the worker only, elsewhere `container.unopened`. Encrypted content and headers of RAR 3 and later are opened with a password that is known. Dictionaries up to 64 MiB; the method of RAR 1.5 is `container.method-unsupported`. One of a set is `container.volume`.",
	"cab":              "Stored, MSZIP, LZX and Quantum; several cabinets in one file, self-extractors; names in UTF-8 and CP932. One of a set is `container.volume`.",
	"iso":              "ECMA-119, Joliet, Rock Ridge and UDF, united: each file once, with its name in each. Raw sectors too. Boot records are left.",
	"udf":              "As `iso`; virtual, sparable and metadata partitions are named `container.method-unsupported`.",
	"msg":              "A message stored by Outlook: its attachments; its bodies, compressed RTF and the HTML in it too.",
	"tnef":             "`winmail.dat`: its attachments, by all their names; its bodies, compressed RTF and the HTML in it too.",
	"pkcs7-signed":     "S/MIME with the content inside. The signature is not checked.",
	"pkcs7-compressed": "S/MIME, compressed.",
	"ics":              "Attachments written into a calendar entry.",
	"vcf":              "Files written into a card.",
	"arj":              "Our own decoder of methods 0 to 4; self-extractors. Garbled members are named, not read. One of a set is `container.volume`.",
	"rtf":              "Embedded objects: packages and compound files, however their digits are broken up.",
	"ace":              "Names are listed and judged, stored files read; other methods are named `container.method-unsupported`.",
	"xar":              "Packages of macOS: stored, zlib, bzip2, LZMA and xz members.",
	"alz":              "Stored, deflated and bzip2 members; names in CP949.",
	"wim":              "Stored, XPRESS and LZX. LZMS, and images packed as one stream, are named `container.method-unsupported`. What stands in no folder is `container.hidden-member`.",
	"chm":              "Every page and file of compiled help, its LZX stream too.",
	"lzma":             "One member, named after the file; a dictionary is charged before it is made.",
	"lzop":             "The name in its header counts beside that of the file.",
	"szdd":             "What COMPRESS.EXE made (`form.ex_`), with the letter that it took off the name.",
	"disk-image":       "FAT12, FAT16, FAT32, exFAT and NTFS, alone or in the partitions of a GPT or MBR. Long and short names; streams of NTFS. Its compressed files, and other file systems, are named `container.method-unsupported`.",
	"vhd":              "Fixed and dynamic, read as `disk-image`. One that needs its parent is `container.volume`.",
	"vhdx":             "As `vhd`; one whose log was not replayed is named `container.method-unsupported` besides.",
	"onenote":          "Embedded files, deleted ones too, with their names. Where a section of OneNote for the web stores them otherwise, the programs in it are cut out.",
	"ole":              "Packages, embedded objects and whole files in the streams of old Office documents. A locked package (ECMA-376) is opened with a password that is known, or the one that Office tries itself; other locks are named. What the document itself consists of is not read.",
	"msi":              "Every stream that is no table: cabinets, icons, programs.",
}

// TestDocFormats makes docs/formats.md and fails for a container that is opened
// and has no paragraph there.
func TestDocFormats(t *testing.T) {
	testfile.Doc(t, "docs/formats.md", "the table of containers", containerRows(t))
	testfile.Doc(t, "docs/formats.md", "the table of types", typeRows())
}

func containerRows(t *testing.T) string {
	var b strings.Builder
	b.WriteString("| container | opened | notes |\n| --- | --- | --- |\n")
	for _, f := range unpack.Formats {
		opened, note := "no", "`container.unopened`"
		if f.Opens() {
			opened, note = "yes", formatNotes[f.Name]
		}
		if note == "" {
			t.Errorf("%s is opened but has no paragraph: add one to formatNotes", f.Name)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.Name, opened, note)
	}
	return b.String()
}

// typeRows lists the types in groups: what opening one does, and whether it is
// opened here.
func typeRows() string {
	opens := func(name string) bool {
		return slices.ContainsFunc(unpack.Formats, func(f unpack.Format) bool { return f.Name == name && f.Opens() })
	}
	groups := []struct {
		title string
		in    func(filetype.Type) bool
	}{
		{"acts when opened", func(f filetype.Type) bool { return f.Runs && !f.Holds }},
		{"acts, and holds files", func(f filetype.Type) bool { return f.Runs && f.Holds }},
		{"holds files, opened here", func(f filetype.Type) bool { return !f.Runs && f.Holds && opens(f.Name) }},
		{"holds files, not opened here", func(f filetype.Type) bool { return !f.Runs && f.Holds && !opens(f.Name) }},
		{"neither", func(f filetype.Type) bool { return !f.Runs && !f.Holds }},
	}
	var b strings.Builder
	b.WriteString("| what it does | types |\n| --- | --- |\n")
	for _, g := range groups {
		var names []string
		for _, f := range filetype.Types {
			if g.in(f) {
				names = append(names, "`"+f.Name+"`")
			}
		}
		slices.Sort(names)
		fmt.Fprintf(&b, "| %s | %s |\n", g.title, strings.Join(names, " "))
	}
	return b.String()
}

// readOtherwise are the types that hold files and are no container of unpack,
// each with the reason why nothing in them goes unseen.
var readOtherwise = map[string]string{
	"eml": "read as a message", "mht": "read as a message", "binhex": "read by the mail reader",
	"jar": "a zip too", "apk": "a zip too",
	"pst": "tagged by its type; its content is listed in docs/limits.md",
}

// A type that holds files is opened, or named as not opened, or stands above;
// else what is in it would count as clean.
func TestEveryHolderIsOpenedOrNamed(t *testing.T) {
	known := map[string]bool{}
	for _, f := range unpack.Formats {
		known[f.Name] = true
		if !slices.ContainsFunc(filetype.Types, func(k filetype.Type) bool { return k.Name == f.Name }) {
			t.Errorf("container %s is no type: nothing will ever be opened or named as it", f.Name)
		}
	}
	for _, k := range filetype.Types {
		if k.Holds && !known[k.Name] && readOtherwise[k.Name] == "" {
			t.Errorf("type %s holds files, but unpack does not know it: its content would count as clean", k.Name)
		}
	}
}
