package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"sekisho/filter/load"
)

// median of what f says of each result.
func median(rs []load.Result, f func(load.Result) float64) float64 {
	var v []float64
	for _, r := range rs {
		v = append(v, f(r))
	}
	slices.Sort(v)
	return v[len(v)/2]
}

func cpuOf(r load.Result) float64 { return r.CPUPerMessage() }

func wait(q float64) func(load.Result) float64 {
	return func(r load.Result) float64 { return r.Wait(q).Seconds() * 1000 }
}

// show prints the medians. The floor is the work that nobody can leave out:
// what the accepting milter costs, and reading everything once.
func show(to io.Writer, conns int, content time.Duration, milters []target, all [][]load.Result) {
	floor := median(all[acceptIndex], cpuOf) + content.Seconds()*1000
	fmt.Fprintf(to, "connections: %d; floor: %.2f CPU-ms per message, of which %.2f are decoding, hashing and inflating once\n",
		conns, floor, content.Seconds()*1000)
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "milter\tCPU-ms\tx floor\tmessages/s\tp50 ms\tp99 ms\tpeak MB\treplies\t")
	for i, m := range milters {
		cpu := median(all[i], cpuOf)
		fmt.Fprintf(w, "%s\t%.2f\t%.2f\t%.1f\t%.2f\t%.1f\t%.0f\t%.1f\t\n", m.name, cpu, cpu/floor,
			median(all[i], load.Result.Rate), median(all[i], wait(.5)), median(all[i], wait(.99)),
			median(all[i], func(r load.Result) float64 { return float64(r.PeakRSS) / 1e6 }),
			median(all[i], func(r load.Result) float64 { return r.Replies }))
	}
	w.Flush()
	for i, m := range milters {
		fmt.Fprintf(to, "  %s answered: %s\n", m.name, counted(all[i][0].Answers))
	}
}

func counted(words map[string]int) string {
	var out []string
	for _, w := range slices.Sorted(maps.Keys(words)) {
		out = append(out, fmt.Sprintf("%d %s", words[w], w))
	}
	return strings.Join(out, ", ")
}

// showKinds prints the slowest answer to each kind of mail.
func showKinds(to io.Writer, milters []target, all [][]load.Result) {
	for i, m := range milters {
		fmt.Fprintf(to, "  %s by kind:\n", m.name)
		last := all[i][len(all[i])-1].ByKind
		w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
		for _, kind := range slices.Sorted(maps.Keys(last)) {
			fmt.Fprintf(w, "    %s\t%d\t%.1f ms\t%s\n", kind, last[kind].Messages, last[kind].Slowest.Seconds()*1000, last[kind].Answer)
		}
		w.Flush()
	}
}
