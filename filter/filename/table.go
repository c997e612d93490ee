package filename

// acting maps the extensions that a person acts on differently from a
// document to their family. A decoy in front of one of these is a disguise;
// before any other (report.txt.pdf, data.csv.gz, chrome.exe.log) it is not.
// Archives are left out: macOS names every packed document 契約書.docx.zip.
var acting = families(map[string][]string{
	"program": {
		"exe", "com", "scr", "pif", "cpl", "dll", "ocx", "sys", "drv", "msi", "msp", "mst", "msix",
		"msixbundle", "appx", "appxbundle", "appinstaller", "application", "vsto", "vsix", "gadget", "jar", "xll",
		"app", "apk", "ipa", "deb", "rpm", "pkg", "mpkg", "dmg", "run", "elf", "xpi", "crx",
		"xap", "xbap", "air", "wll", "ax", "efi", "rdp",
	},
	"script": {
		"js", "jse", "vbs", "vbe", "vb", "wsf", "wsh", "wsc", "ws", "sct", "bat", "cmd", "btm", "hta", "ps1",
		"ps1xml", "ps2", "ps2xml", "psc1", "psc2", "psm1", "psd1", "pssc", "cdxml", "msh", "msh1",
		"msh2", "mshxml", "msh1xml", "msh2xml", "reg", "inf", "ins", "isp", "job", "sh", "bash",
		"command", "csh", "ksh", "py", "pyc", "pyw", "pyz", "pyo", "pyzw", "pl", "rb", "php", "lua",
		"au3", "a3x", "ahk", "jnlp", "applescript", "scpt", "scptd", "workflow", "osax", "mjs", "cjs",
		"bas", "vbp", "cs", "csproj", "diagcab", "diagcfg", "diagpkg", "hpj", "its", "shb", "shs",
	},
	"shortcut": {
		"lnk", "url", "scf", "desktop", "webloc", "website", "library-ms", "search-ms",
		"searchconnector-ms", "settingcontent-ms", "appref-ms", "theme", "themepack", "deskthemepack",
		"glk", "mcf", "xnk", "chm", "hlp", "msc", "iqy", "oqy", "rqy", "slk", "udl", "ade", "adp", "mdb", "mde",
		"mda", "accda", "accdb", "accde", "accdr", "accdu", "vsmacros", "vbox", "ops", "pcd", "prg", "plg",
	},
	"disk": {"iso", "img", "vhd", "vhdx", "udf", "wim", "vmdk", "cdr", "toast", "nrg", "one", "onetoc2"},
	"macro": {
		"docm", "dotm", "xlsm", "xltm", "xlam", "xlsb", "xla", "xlm", "xlw", "pptm", "potm", "ppam", "ppa",
		"ppsm", "sldm", "wiz", "wbk",
	},
	"html": {"html", "htm", "shtml", "xhtml", "xht", "mht", "mhtml", "svg", "svgz"},
})

// documents are the extensions that a disguise shows to its reader.
var documents = set(
	"pdf", "doc", "docx", "dot", "dotx", "xls", "xlsx", "xlt", "xltx", "csv", "ppt", "pptx", "pps", "ppsx", "rtf",
	"txt", "text", "log", "odt", "ods", "odp", "odg", "jtd", "jtt", "jhd", "xdw", "xbd", "dwg", "dxf", "vsd", "vsdx",
	"jpg", "jpeg", "jpe", "png", "gif", "bmp", "tif", "tiff", "heic", "webp", "ico", "psd", "ai", "eps",
	"mp3", "mp4", "m4a", "wav", "avi", "mov", "mpg", "mpeg", "wmv", "flv", "mkv",
	"eml", "msg", "ics", "vcf", "xml", "ini", "epub", "pages", "numbers", "key", "wps", "xps",
	"zip", "lzh", "rar", "7z", "tar", "gz", "tgz", "cab", "bz2", "xz",
)

// exported are the decoys that count before a web page's extension: other
// pairs (notes.txt.html) are what converters write.
var exported = set("pdf", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "jpg", "jpeg", "png", "zip", "eml", "msg")

func families(table map[string][]string) map[string]string {
	out := make(map[string]string, 256)
	for family, exts := range table {
		for _, ext := range exts {
			out[ext] = family
		}
	}
	return out
}

func set(words ...string) map[string]bool {
	out := make(map[string]bool, len(words))
	for _, w := range words {
		out[w] = true
	}
	return out
}
