package filetype

var images = []Type{
	{Name: "png", Match: starts("\x89PNG\r\n\x1a\n")},
	{Name: "jpeg", Match: starts("\xff\xd8\xff")},
	{Name: "gif", Match: starts("GIF87a", "GIF89a")},
	{Name: "bmp", Match: isBMP},
	{Name: "tiff", Match: starts("II*\x00", "MM\x00*", "II+\x00", "MM\x00+")},
	{Name: "ico", Match: isICO},
	{Name: "webp", Match: riff("WEBP")},
	{Name: "heic", Match: brand("heic", "heix", "mif1", "msf1", "avif", "heim", "hevc")},
	{Name: "emf", Match: isEMF},
	{Name: "wmf", Match: starts("\xd7\xcd\xc6\x9a", "\x01\x00\x09\x00\x00\x03", "\x02\x00\x09\x00\x00\x03")},
	{Name: "psd", Match: starts("8BPS\x00\x01", "8BPS\x00\x02")},
	{Name: "jpeg2000", Match: starts("\x00\x00\x00\x0cjP  \r\n\x87\n", "\xff\x4f\xff\x51")},
}

var media = []Type{
	{Name: "mp3", Match: isMP3},
	{Name: "mp4", Match: brand("isom", "iso2", "mp41", "mp42", "M4A ", "M4V ", "avc1", "qt  ", "3gp4", "3gp5", "dash", "f4v ", "MSNV")},
	{Name: "wav", Match: riff("WAVE")},
	{Name: "avi", Match: riff("AVI ")},
	{Name: "ogg", Match: starts("OggS\x00")},
	{Name: "flac", Match: starts("fLaC")},
	{Name: "matroska", Match: starts("\x1aE\xdf\xa3")},
	{Name: "asf", Match: starts("\x30\x26\xb2\x75\x8e\x66\xcf\x11")},
	{Name: "midi", Match: starts("MThd\x00\x00\x00\x06")},
	{Name: "mpeg", Match: starts("\x00\x00\x01\xba", "\x00\x00\x01\xb3")},
}

func riff(form string) func([]byte) bool {
	return func(b []byte) bool { return at(b, 0, "RIFF") && at(b, 8, form) }
}

// brand returns a matcher of the major brand of ISO 14496-12 §4.3.
func brand(brands ...string) func([]byte) bool {
	return func(b []byte) bool {
		for _, name := range brands {
			if at(b, 4, "ftyp"+name) {
				return true
			}
		}
		return false
	}
}

// isBMP checks the size of the second header beside the two letters.
func isBMP(b []byte) bool {
	size := u32(b, 14)
	return at(b, 0, "BM") && len(b) >= 26 && size >= 12 && size <= 124 && u32(b, 10) >= 14+size
}

// isICO checks the count and the first entry of an icon or cursor.
func isICO(b []byte) bool {
	if !at(b, 0, "\x00\x00\x01\x00") && !at(b, 0, "\x00\x00\x02\x00") || len(b) < 22 {
		return false
	}
	n, at := u16(b, 4), u32(b, 18)
	return n > 0 && n < 256 && b[9] == 0 && at >= 6+16*n && at < len(b)
}

func isEMF(b []byte) bool { return at(b, 0, "\x01\x00\x00\x00") && at(b, 40, " EMF") }

// isMP3 matches an ID3 tag, or two bytes of frame sync with sane fields.
func isMP3(b []byte) bool {
	if at(b, 0, "ID3") && len(b) > 10 {
		return b[3] < 5
	}
	return len(b) > 4 && b[0] == 0xff && b[1]&0xe6 == 0xe2 && b[2]&0xf0 != 0xf0 && b[2]&0x0c != 0x0c && b[2] > 0x0f
}
