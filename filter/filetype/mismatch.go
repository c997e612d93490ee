package filetype

import "slices"

// claims says, for each extension that names a document, an image, a text or
// an archive, what of weight its honest files may be: systems export web pages
// as .xls, and Word saves web archives as .doc.
var claims = grouped(map[string]claim{
	"docx dotx xlsx xltx pptx potx ppsx vsdx": {needs: "ooxml", allows: set("zip")},
	"odt ods odp odg odf ott ots sxw sxc sxi": {needs: "odf", allows: set("zip", "jar")},
	"xps oxps": {allows: set("zip")},
	"epub":     {needs: "epub", allows: set("zip", "html", "jar")},
	"pages numbers key kmz idml hwpx pub psb":          {allows: set("zip", "jar", "tar", "gzip")},
	"docm dotm xlsm xltm xlam xlsb pptm potm ppsm":     {needs: "ooxml", allows: set("zip", "ooxml-macro")},
	"doc dot xls xlt ppt pps jtd jtt jtdc wps mpp vsd": {allows: set("html", "mht", "eml")},
	"pdf fdf ps eps ai djvu dwg dxf xdw xbd jhd":       {},
	"rtf": {},
	"jpg jpeg jpe jfif png gif bmp dib tif tiff ico cur webp heic heif psd emf wmf": {},
	"mp3 mp4 m4a m4v wav avi mov wmv wma flv mkv mpg mpeg ogg flac webm mid":        {},
	"svg": {allows: set("html")},
	"txt text log md csv tsv json xml ini cfg conf yml yaml srt tex ics vcf eml po sql": {texts: true},
	"msg":                 {allows: set("msg", "eml")},
	"zip zipx":            {allows: set("zip", "jar", "apk", "ooxml-macro")},
	"lzh lha":             {allows: set("lzh")},
	"rar":                 {allows: set("rar")},
	"7z":                  {allows: set("7z")},
	"cab":                 {allows: set("cab")},
	"arj":                 {allows: set("arj")},
	"tar":                 {allows: set("tar")},
	"gz tgz svgz emz wmz": {allows: set("gzip", "compress")},
	"bz2 tbz tbz2":        {allows: set("bzip2")},
	"xz txz":              {allows: set("xz", "lzma")},
	"zst":                 {allows: set("zstd")},
	"lz4":                 {allows: set("lz4", "zstd")},
	"lz":                  {allows: set("lzip")},
	"z":                   {allows: set("compress", "gzip")},
	"iso":                 {allows: set("iso", "udf", "disk-image", "dmg")},
	"img":                 {allows: set("iso", "udf", "disk-image", "dmg", "vhd")},
	"vhd":                 {allows: set("vhd", "disk-image")},
	"vhdx":                {allows: set("vhdx")},
})

// claim is what an extension says about the content.
type claim struct {
	// needs is the type that explains a ZIP under this extension.
	needs string
	// allows are grave types that are honest here.
	allows map[string]bool
	// texts says that a program by this name shows text and runs nothing.
	texts bool
}

func grouped(table map[string]claim) map[string]claim {
	out := make(map[string]claim, 128)
	for exts, c := range table {
		for _, ext := range fields(exts) {
			out[ext] = c
		}
	}
	return out
}

func fields(s string) []string {
	var out []string
	from := 0
	for i := range len(s) + 1 {
		if i == len(s) || s[i] == ' ' {
			out, from = append(out, s[from:i]), i+1
		}
	}
	return out
}

// Mismatch says whether the content contradicts an extension in a way that
// matters, and which: something that runs or holds files, or a web page, under
// the name of a document, an image, a text or another archive; a program under
// no extension at all. An old Word file named .docx, or a JPEG named .png, is
// sloppy and passes.
func Mismatch(exts, types []string) (ext string, found bool) {
	for _, ext := range exts {
		c, known := claims[ext]
		if known && slices.ContainsFunc(types, func(t string) bool { return c.refutedBy(t, types) }) {
			return ext, true
		}
	}
	if len(exts) > 0 {
		return "", false
	}
	return "", slices.ContainsFunc(types, func(t string) bool { return native[t] })
}

// native are the programs that a system starts by content or by one rename.
var native = set("pe", "ne", "dos-mz", "macho", "lnk", "hta", "chm", "msi")

// refutedBy says that content of type t, one of types, refutes the claim.
func (c claim) refutedBy(t string, types []string) bool {
	switch {
	case !grave[t]:
		return false
	case c.allows[t]:
		return t == "zip" && c.needs != "" && !slices.Contains(types, c.needs)
	case c.texts && shownAsText[t]:
		return false
	}
	return !officeZIP(t, types)
}

// officeZIP says that t is only the wrapping of a document.
func officeZIP(t string, types []string) bool {
	return t == "zip" && slices.ContainsFunc(types, func(o string) bool { return o == "ooxml" || o == "odf" || o == "epub" })
}

// shownAsText are the grave types that a text editor shows and does not run.
var shownAsText = set("html", "mht", "eml", "ics", "vcf", "svg", "hta", "url", "scf", "desktop", "webloc", "theme", "iqy", "jnlp", "msc", "rdp",
	"library-ms", "search-ms", "settingcontent-ms", "folder-settings", "script-shebang", "script-batch", "script-powershell",
	"script-registry", "script-encoded", "script-wsf", "script-sct", "script-wsh", "script-inf", "script-php", "binhex")

// grave are the types that run or hold files, and web pages.
var grave = graveTypes()

func graveTypes() map[string]bool {
	out := set("html")
	for _, t := range Types {
		if t.Runs || t.Holds {
			out[t.Name] = true
		}
	}
	// Documents that may hold files are documents first.
	delete(out, "ole")
	delete(out, "rtf")
	return out
}
