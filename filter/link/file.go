package link

import "strings"

// files are the extensions of which a direct link is stated: what runs, mounts
// or holds other files. "com" ends hosts in paths and is left out.
var files = wordSet(`
	exe scr pif cpl msi msp msix msixbundle appx appxbundle appinstaller application jar apk ipa xll dll ocx sys gadget dmg pkg deb rpm
	js jse vbs vbe wsf wsh wsc sct bat cmd hta ps1 psm1 reg inf jnlp sh command
	lnk url scf library-ms search-ms searchconnector-ms settingcontent-ms appref-ms website webloc chm msc iqy slk rdp diagcab theme themepack
	iso img vhd vhdx udf wim one
	docm dotm xlsm xltm xlam xlsb pptm potm ppam ppsm
	zip lzh lha rar 7z cab arj ace tgz gz tar bz2 xz zst zipx z alz egg`)

func wordSet(s string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(s) {
		out[w] = true
	}
	return out
}

// fileExt returns the extension of the file that t leads to straight away: by
// its path, or by a parameter that names the download.
func fileExt(t target) string {
	if !special[t.scheme] && t.scheme != "unc" {
		return ""
	}
	if ext := extension(t.path); files[ext] && !strings.Contains(t.path, "cgi-bin/") {
		return ext
	}
	for _, key := range []string{"file", "filename", "name", "download", "fn", "f"} {
		if ext := extension(parameter(t.query, key)); files[ext] {
			return ext
		}
	}
	return ""
}
