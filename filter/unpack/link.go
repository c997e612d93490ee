package unpack

import (
	"path"
	"strings"

	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

// maxTarget is the longest target of a link that any system follows.
const maxTarget = 4096

// leads states that e is a link out of its container, where the target is its
// content.
func (m *members) leads(e *entity.Entity) {
	if !e.Link || e.Unread || len(e.Body) > maxTarget {
		return
	}
	if target := string(e.Body); outside(e.Name(), target) {
		m.note(finding.ContainerLink, e.Path, "name", e.Name(), "target", target)
	}
}

// outside says that a link of that name leads out of the folder into which its
// container is unpacked.
func outside(name, target string) bool {
	target = strings.ReplaceAll(target, `\`, "/")
	if strings.HasPrefix(target, "/") || len(target) > 1 && target[1] == ':' {
		return true
	}
	folder := path.Dir(path.Clean(strings.ReplaceAll(name, `\`, "/")))
	to := path.Join(folder, target)
	return to == ".." || strings.HasPrefix(to, "../")
}
