package display

import "unicode"

// Likeness returns the small ASCII letter that r is or looks like, else r in
// lower case.
func Likeness(r rune) rune {
	if ascii, ok := confusables[r]; ok {
		return ascii
	}
	low := unicode.ToLower(r)
	if ascii, ok := confusables[low]; ok {
		return ascii
	}
	return low
}

// confusables are the letters of other scripts that spell an extension to the
// eye or to case folding, from the data of UTS #39. Capitals come by way of
// their small letter, except where only the capital looks alike.
var confusables = letters(
	"aа", "aα", "aɑ", "bЬ", "bΒ", "bВ", "cс", "cϲ", "cᴄ", "cⅽ", "dԁ", "dⅾ", "eе", "eҽ", "eΕ", "gɡ", "gց",
	"hһ", "hհ", "hН", "hΗ", "iі", "iı", "iι", "iİ", "iɩ", "iӏ", "jј", "jϳ", "kк", "kκ", "kᴋ", "lӀ", "mм", "mΜ", "mⅿ",
	"nո", "nΝ", "nп", "oо", "oο", "oօ", "pр", "pρ", "qԛ", "rг", "rᴦ", "sѕ", "sſ", "sꜱ", "tт", "tτ", "tΤ",
	"uս", "uυ", "uʋ", "vѵ", "vν", "vᴠ", "wԝ", "wѡ", "wᴡ", "xх", "xχ", "xΧ", "yу", "yγ", "yү", "yΥ", "zᴢ", "zΖ",
)

// letters builds a map from pairs of an ASCII letter and its look-alike.
func letters(pairs ...string) map[rune]rune {
	out := make(map[rune]rune, len(pairs))
	for _, p := range pairs {
		r := []rune(p)
		out[r[1]] = r[0]
	}
	return out
}
