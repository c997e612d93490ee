package record

import (
	"fmt"
	"strings"
	"testing"

	"sekisho/filter/testfile"
)

func TestDocHoldsEveryEventAndField(t *testing.T) {
	testfile.Doc(t, "docs/log.md", "the catalogue of events", table("event", Events))
	testfile.Doc(t, "docs/log.md", "the catalogue of fields", table("field", Fields))
	testfile.Doc(t, "docs/log.md", "the catalogue of metrics", table("metric", MetricNames))
}

func table(title string, list []Info) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %s | meaning |\n| --- | --- |\n", title)
	for _, i := range list {
		fmt.Fprintf(&b, "| `%s` | %s |\n", i.Name, i.Text)
	}
	return b.String()
}
