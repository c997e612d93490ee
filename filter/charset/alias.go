package charset

import (
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
)

// aliases are the labels that mail carries and the WHATWG registry lacks or
// reads otherwise, in lower case with '-' for '_'.
var aliases = merge(
	same(readASCII, "", "us-ascii", "ascii", "ansi-x3.4-1968", "ansi-x3.4-1986", "iso646-us", "iso-646", "us", "646",
		"cp367", "ibm367", "csascii", "iso-ir-6", "unknown", "unknown-8bit", "x-unknown", "8bit", "7bit", "default", "none"),
	same(readUTF8, "utf-8", "utf8", "utf-8n", "x-utf-8", "unicode-1-1-utf-8", "utf-8-mac", "utf8-mac", "utf8mb4",
		"cp65001", "windows-65001", "cp-65001"),
	same(readUTF7, "utf-7", "utf7", "unicode-1-1-utf-7", "csunicode11utf7", "x-unicode-1-1-utf-7", "unicode-2-0-utf-7",
		"cp65000", "windows-65000"),
	same(readUTF16, "utf-16", "utf16", "unicode", "csunicode", "ucs-2", "iso-10646-ucs-2", "x-utf-16"),
	same(wrap(unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)), "utf-16be", "utf16be", "unicodefffe", "ucs-2be", "cp1201"),
	same(wrap(unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)), "utf-16le", "utf16le", "unicodefeff", "ucs-2le", "cp1200"),
	same(wrap(utf32.UTF32(utf32.BigEndian, utf32.UseBOM)), "utf-32", "utf32", "ucs-4", "iso-10646-ucs-4"),
	same(wrap(utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM)), "utf-32be", "utf32be", "ucs-4be"),
	same(wrap(utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM)), "utf-32le", "utf32le", "ucs-4le"),
	same(readCP932, "shift-jis", "shiftjis", "sjis", "s-jis", "x-sjis", "x-shift-jis", "cp932", "cp-932", "cp943", "cp943c",
		"ms932", "ms-932", "ms-kanji", "mskanji", "csshiftjis", "windows-31j", "cswindows31j", "windows-932", "x-ms-cp932",
		"ibm-943", "ibm943", "932", "sjis-win", "shift-jisx0213", "shift-jis-2004", "shift-jisx0208", "sjis-2004", "x-mac-japanese", "pck"),
	same(wrap(japanese.EUCJP), "euc-jp", "eucjp", "x-euc-jp", "x-eucjp", "eucjp-win", "euc-jp-win", "eucjp-ms", "euc-jp-ms",
		"eucjpms", "cp51932", "cp-51932", "windows-51932", "cseucpkdfmtjapanese", "ujis", "x-euc", "euc", "eucj",
		"euc-jisx0213", "euc-jis-2004", "cp20932"),
	same(readJIS, "iso-2022-jp", "iso2022-jp", "iso2022jp", "iso-2022jp", "csiso2022jp", "iso-2022-jp-ms", "iso2022jp-ms",
		"iso-2022-jp-1", "iso-2022-jp-2", "csiso2022jp2", "iso-2022-jp-3", "iso-2022-jp-2004", "iso2022jp2004",
		"jis", "jis7", "jis8", "jis-encoding", "csjisencoding", "x-jis", "junet", "cp50220", "cp50221", "cp50222", "cp-50220", "cp-50221",
		"cp-50222", "windows-50220", "windows-50221", "windows-50222", "x-windows-50220", "x-windows-50221", "x-windows-iso2022jp",
		"iso-2022-kr", "csiso2022kr", "iso-2022-cn", "iso-2022-cn-ext", "iso-2022"),
	same(wrap(korean.EUCKR), "euc-kr", "euckr", "x-euc-kr", "ks-c-5601-1987", "ks-c-5601-1989", "ks-c-5601", "ksc5601", "ksc-5601",
		"ks-x-1001", "ksx1001", "cp949", "ms949", "uhc", "windows-949", "x-windows-949", "cp51949", "korean", "cseuckr"),
	same(wrap(simplifiedchinese.GB18030), "gb2312", "gb-2312", "gb-2312-80", "gb2312-80", "gbk", "x-gbk", "cp936", "ms936", "windows-936", "euc-cn",
		"euccn", "x-euc-cn", "cp20936", "gb18030", "gb-18030", "gb18030-2000", "csgb2312", "chinese"),
	same(wrap(simplifiedchinese.HZGB2312), "hz", "hz-gb-2312", "hz-gb2312"),
	same(wrap(traditionalchinese.Big5), "big5", "big-5", "cp950", "ms950", "windows-950", "big5-hkscs", "big5hkscs", "x-x-big5", "cn-big5"),
	latin(),
)

// latin are single-byte labels under their vendors' names.
func latin() map[string]reader {
	out := map[string]reader{}
	for label, enc := range map[string]encoding.Encoding{
		"cp437": charmap.CodePage437, "ibm437": charmap.CodePage437,
		"cp850": charmap.CodePage850, "ibm850": charmap.CodePage850,
		"cp852": charmap.CodePage852, "cp855": charmap.CodePage855,
		"cp858": charmap.CodePage858, "cp860": charmap.CodePage860,
		"cp862": charmap.CodePage862, "cp863": charmap.CodePage863,
		"cp865": charmap.CodePage865, "cp1047": charmap.CodePage1047,
		"cp037": charmap.CodePage037, "ibm037": charmap.CodePage037, "ebcdic-cp-us": charmap.CodePage037, "cp1140": charmap.CodePage1140,
		// They differ from 037 in brackets and marks, not in letters or dots.
		"cp500": charmap.CodePage037, "ibm500": charmap.CodePage037, "ibm1047": charmap.CodePage1047,
		"iso8859-1": charmap.Windows1252, "iso-8859-1-windows-3.1-latin-1": charmap.Windows1252,
		"ansi": charmap.Windows1252, "cp-1252": charmap.Windows1252, "windows1252": charmap.Windows1252,
		"windows1250": charmap.Windows1250, "windows1251": charmap.Windows1251,
		"koi8": charmap.KOI8R, "koi": charmap.KOI8R,
	} {
		out[label] = wrap(enc)
	}
	return out
}

func same(read reader, labels ...string) map[string]reader {
	out := make(map[string]reader, len(labels))
	for _, l := range labels {
		out[l] = read
	}
	return out
}

func merge(tables ...map[string]reader) map[string]reader {
	out := map[string]reader{}
	for _, t := range tables {
		for label, read := range t {
			out[label] = read
		}
	}
	return out
}
