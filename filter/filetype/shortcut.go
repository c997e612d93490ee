package filetype

var shortcuts = []Type{
	// MS-SHLLINK §2.1: size of the header, then the class of links.
	{Name: "lnk", Runs: true, Match: starts("L\x00\x00\x00\x01\x14\x02\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00F")},
	textual("url", runs, section("[internetshortcut")),
	textual("scf", runs, isSCF),
	textual("library-ms", runs, tells("<librarydescription")),
	textual("search-ms", runs, tells("<persistedquery", "<searchconnectordescription")),
	textual("settingcontent-ms", runs, tells("<pcsettings", "<searchablecontent")),
	textual("desktop", runs, section("[desktop entry]")),
	looking("webloc", runs, isWebloc),
	textual("theme", runs, section("[theme]")),
	textual("iqy", runs, begins("web\r\n1\r\nhttp", "web\n1\nhttp", "web\r\n1\r\n[", "web\n1\n[")),
	textual("jnlp", runs, tells("<jnlp ", "<jnlp>")),
	textual("msc", runs, tells("<mmc_consolefile")),
	textual("rdp", runs, section("full address:s:")),
	textual("folder-settings", runs, section("[.shellclassinfo]")),
}

// isSCF matches a shell command file by its section and one of its keys.
func isSCF(t *opening) bool { return shellSection(t) && t.holds("iconfile", "command=") }

var shellSection = section("[shell]")

// isWebloc matches a property list whose only use is a URL.
func isWebloc(l *look) bool {
	return len(l.b) < sampled && l.text != nil && l.text.holds("<plist") && l.text.holds("<key>url</key>") ||
		at(l.b, 0, "bplist00\xd1\x01\x02SURL")
}
