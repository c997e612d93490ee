package load

import "sekisho/filter/specimen"

// Samples are single mails for benchmarks of the readers.
var Samples = []struct {
	Name string
	Make func() []byte
}{
	{"text-3KB", func() []byte { return newChance(5).text(1500) }},
	{"docx-1MB", func() []byte {
		c := newChance(5)
		return c.with(file{"報告書.docx", docxType, c.docx(1 << 20)})
	}},
	{"zip-5MB", func() []byte { return newChance(5).bigZip() }},
	{"noise-1MB", func() []byte {
		c := newChance(5)
		return c.with(file{"a.bin", "application/octet-stream", c.noise(1 << 20)})
	}},
	{"lzh", func() []byte { return newChance(5).lzh() }},
	{"three-deep", func() []byte { return newChance(5).threeDeep(3 << 20) }},
}

// bigZip is a mail of one zip of 5 MB: texts and documents.
func (c chance) bigZip() []byte {
	members := []specimen.Member{
		{Name: "一覧.csv", Data: c.table(1 << 20), Method: "fast"},
		{Name: "本文.txt", Data: []byte(c.prose(4<<20, true)), Method: "fast"},
	}
	for range 8 {
		d := c.document(500 << 10)
		members = append(members, specimen.Member{Name: d.name, Data: d.data, Method: "fast"})
	}
	return c.with(file{"資料.zip", "application/zip", specimen.Zip(members...)})
}
