package load

import "sekisho/filter/specimen"

// Samples are single mails for benchmarks of the readers.
func Samples() []Mail {
	c := newChance(5)
	report := file{"報告書.docx", docxType, c.docx(1 << 20)}
	members := []specimen.Member{{Name: "一覧.csv", Data: c.table(1 << 20), Method: "fast"}, {Name: "本文.txt", Data: []byte(c.prose(4<<20, true)), Method: "fast"}}
	for range 8 {
		d := c.document(500 << 10)
		members = append(members, specimen.Member{Name: d.name, Data: d.data, Method: "fast"})
	}
	return []Mail{
		{"text-3KB", c.text(1500)},
		{"docx-1MB", c.with(report)},
		{"zip-5MB", c.with(file{"資料.zip", "application/zip", specimen.Zip(members...)})},
		{"noise-1MB", c.with(file{"a.bin", "application/octet-stream", c.noise(1 << 20)})},
		{"lzh", c.lzh()},
		{"three-deep", c.threeDeep(3 << 20)},
	}
}
