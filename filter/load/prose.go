package load

import (
	"encoding/binary"
	"math/rand/v2"
	"strings"
)

// chance is where all variety comes from: the same numbers on every run.
type chance struct{ *rand.Rand }

func newChance(seed uint64) chance { return chance{rand.New(rand.NewPCG(seed, 0x5e6b15f0))} }

// between returns a number from lo to hi.
func (c chance) between(lo, hi int) int { return lo + c.IntN(hi-lo+1) }

// odds says yes with probability p.
func (c chance) odds(p float64) bool { return c.Float64() < p }

// noise returns n bytes that do not compress.
func (c chance) noise(n int) []byte {
	out := make([]byte, 0, n+8)
	for len(out) < n {
		out = binary.LittleEndian.AppendUint64(out, c.Uint64())
	}
	return out[:n]
}

var kana = strings.Fields(`会議 資料 予算 見積 議事録 研修 給付 年金 保険料 請求書 確認 連絡 担当 総務部 人事課 支給額 来週 明日
の が を に は と で から まで について お願いいたします ご確認ください ありがとうございます よろしく 至急 添付 修正版 提出 期限 令和8年度`)

var english = strings.Fields(`the a please find attached our meeting budget report invoice order shipment schedule next week regards
we will send you confirm document review draft final version of to in for with and is are by training account quarterly office`)

// sentence returns a sentence of words that mean nothing together.
func (c chance) sentence(inJapanese bool) string {
	words, gap, end := english, " ", "."
	if inJapanese {
		words, gap, end = kana, "", "。"
	}
	var out strings.Builder
	for i := range c.between(6, 18) {
		if i > 0 {
			out.WriteString(gap)
		}
		out.WriteString(words[c.IntN(len(words))])
	}
	return out.String() + end
}

// prose returns about n bytes of lines.
func (c chance) prose(n int, inJapanese bool) string {
	var out strings.Builder
	for out.Len() < n {
		out.WriteString(c.sentence(inJapanese))
		out.WriteByte('\n')
		if c.odds(.15) {
			out.WriteByte('\n')
		}
	}
	return out.String()
}

// mixture returns n bytes of which about share are prose.
func (c chance) mixture(n int, share float64) []byte {
	const piece = 32 << 10
	out := make([]byte, 0, n+piece)
	for len(out) < n {
		if c.odds(share) {
			out = append(out, c.prose(piece, true)...)
			continue
		}
		out = append(out, c.noise(piece)...)
	}
	return out[:n]
}
