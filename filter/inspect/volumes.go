package inspect

import (
	"cmp"
	"math"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

// A volume is one file of a set that was cut or written in pieces. When all of
// a set came in one message, its reader will put it together: so do we.
type volume struct {
	path   string
	number int
	depth  int
	body   []byte
}

// volumeSet is what tells volumes of one set from others: where they stand,
// the name without its number, and the way in which they are counted.
type volumeSet struct {
	folder, base, way string
}

// volumeNames are the ways in which sets are numbered. The first group is the
// name of the set, the second the number. sure says that no other file is
// named like it.
var volumeNames = []struct {
	way     string
	pattern *regexp.Regexp
	first   int
	sure    bool
}{
	{"number", regexp.MustCompile(`^(.+)\.(\d{3})$`), 1, true},                  // 7-Zip, HJSplit and most others
	{"part", regexp.MustCompile(`^(.+)\.part(\d{1,5})\.(?:rar|exe)$`), 1, true}, // WinRAR
	{"zip", regexp.MustCompile(`^(.+)\.zx?(\d{2,3})$`), 1, true},                // Info-ZIP, WinZip: the last is .zip
	{"old", regexp.MustCompile(`^(.+)\.r(\d{2})$`), 0, true},                    // RAR before 3: the first is .rar
	{"letters", regexp.MustCompile(`^(.+)\.a([a-z])$`), 0, true},                // split(1)
	{"zip", regexp.MustCompile(`^(.+)\.zipx?()$`), 1, false},
	{"old", regexp.MustCompile(`^(.+)\.rar()$`), 0, false},
}

const (
	// maxVolumes bounds the volumes of a message, maxVolumeBytes what is kept
	// of them.
	maxVolumes     = 1000
	maxVolumeBytes = 64 << 20
	// maxRounds is how often what was put together may hold volumes again.
	maxRounds = 3
)

// volumeOf says which volume of which set a file is by its name.
func volumeOf(at, name string) (set volumeSet, number int, sure, ok bool) {
	name = strings.ToLower(path.Base(strings.ReplaceAll(name, `\`, "/")))
	if !mayBeVolume(name) {
		return volumeSet{}, 0, false, false
	}
	for _, v := range volumeNames {
		m := v.pattern.FindStringSubmatch(name)
		if m == nil {
			continue
		}
		return volumeSet{folderOf(at), m[1], v.way}, numberOf(v.way, m[2]), v.sure, true
	}
	return volumeSet{}, 0, false, false
}

// mayBeVolume is a quick look: most names are none.
func mayBeVolume(name string) bool {
	switch ext := path.Ext(name); ext {
	case ".zip", ".zipx", ".rar", ".exe":
		return true
	default:
		return len(ext) > 2 && ('0' <= ext[len(ext)-1] && ext[len(ext)-1] <= '9' || ext[1] == 'a' && len(ext) == 3)
	}
}

// numberOf reads the number of a volume. What has none stands last for zip and
// first for RAR.
func numberOf(way, digits string) int {
	switch {
	case way == "letters":
		return int(digits[0] - 'a')
	case digits == "" && way == "zip":
		return math.MaxInt32
	case digits == "":
		return -1
	}
	n, _ := strconv.Atoi(digits) // digits only
	return n
}

// folderOf is what an entity stands in: all body parts of a message stand in
// one folder.
func folderOf(at string) string {
	i := strings.LastIndexByte(at, '/')
	return at[:max(i, 0)]
}

// keepVolume remembers e for the end of the walk when it may be one of a set.
// first is where the findings about it begin.
func (w *walk) keepVolume(e *entity.Entity, first int) {
	if len(e.Body) == 0 || e.Encrypted || len(e.Names) == 0 || e.Reading != "" {
		return
	}
	set, number, sure, ok := volumeOf(e.Path, e.Name())
	if !ok || !sure && len(w.volumes[set]) == 0 && !w.volumeSeen(e.Path, first) {
		return
	}
	if w.volumeBytes += len(e.Body); w.volumeBytes > maxVolumeBytes || w.volumeCount == maxVolumes {
		_ = w.bud.Exceed(budget.Bytes, e.Path) // remembered there
		return
	}
	if w.volumes == nil {
		w.volumes = map[volumeSet][]volume{}
	}
	w.volumeCount++
	body := slices.Clone(e.Body)
	w.volumes[set] = append(w.volumes[set], volume{e.Path, number, e.Depth, body})
}

// volumeSeen says that a reader found the file at a path to be a volume, or
// not whole.
func (w *walk) volumeSeen(at string, first int) bool {
	return slices.ContainsFunc(w.rep.Findings[min(first, len(w.rep.Findings)):], func(f finding.Finding) bool {
		return f.Path == at && (f.Kind == finding.ContainerVolume || f.Kind == finding.ContainerBroken)
	})
}

// join puts every whole set together and visits what comes out.
func (w *walk) join() {
	for range maxRounds {
		sets := w.volumes
		w.volumes = nil
		var keys []volumeSet
		for set := range sets {
			keys = append(keys, set)
		}
		slices.SortFunc(keys, func(a, b volumeSet) int {
			return cmp.Or(cmp.Compare(a.folder, b.folder), cmp.Compare(a.base, b.base), cmp.Compare(a.way, b.way))
		})
		for _, set := range keys {
			w.joinSet(set, sets[set])
		}
		if len(w.volumes) == 0 {
			return
		}
	}
}

// joinSet puts one set together when it is whole.
func (w *walk) joinSet(set volumeSet, list []volume) {
	slices.SortStableFunc(list, func(a, b volume) int { return cmp.Compare(a.number, b.number) })
	if !follows(list) {
		return
	}
	first, size := list[0], 0
	for _, v := range list {
		size += len(v.body)
	}
	e := &entity.Entity{Path: first.path + "+", Depth: first.depth, Reading: "joined", Size: int64(size)}
	if w.bud.Count(e.Path) != nil || w.bud.Spend(e.Path, int64(size)) != nil {
		return
	}
	e.AddName(entity.Name{Text: set.name(), Source: "derived"})
	e.Body = make([]byte, 0, size)
	for _, v := range list {
		e.Body = append(e.Body, v.body...)
	}
	from := len(w.rep.Findings)
	w.entity(e)
	if w.whole(e, from) {
		w.settleVolumes(list)
	}
}

// follows says that the numbers go up by one from the first of a set.
func follows(list []volume) bool {
	if len(list) < 2 || list[0].number > 1 {
		return false
	}
	for i := 1; i < len(list); i++ {
		if n := list[i].number; n != list[i-1].number+1 && (n != math.MaxInt32 || i != len(list)-1) {
			return false
		}
	}
	return true
}

// name is what a joined set is called.
func (s volumeSet) name() string {
	switch s.way {
	case "part", "old":
		return s.base + ".rar"
	case "zip":
		return s.base + ".zip"
	}
	return s.base
}

// missing are the findings that a volume gives for want of the others.
var missing = []finding.Kind{finding.ContainerVolume, finding.ContainerBroken, finding.ContainerTrailing, finding.ContainerPrefix,
	finding.ContainerOverlap, finding.ContainerConflict}

// whole says that the set gave all its content.
func (w *walk) whole(e *entity.Entity, from int) bool {
	seen := false
	for _, r := range w.rep.Entities {
		if strings.HasPrefix(r.Path, e.Path+"/") {
			seen = true
		}
	}
	return seen && !slices.ContainsFunc(w.rep.Findings[min(from, len(w.rep.Findings)):], func(f finding.Finding) bool {
		return slices.Contains(unread, f.Kind) || f.Kind == finding.ContainerChecksum || f.Kind == finding.ContainerEncrypted
	})
}

// settleVolumes takes back what was said of volumes that lacked each other. All
// that they hold was seen; names and contents found in them stay judged.
func (w *walk) settleVolumes(list []volume) {
	of := func(at string) bool {
		return slices.ContainsFunc(list, func(v volume) bool { return at == v.path || strings.HasPrefix(at, v.path+"/") })
	}
	w.rep.Findings = slices.DeleteFunc(w.rep.Findings, func(f finding.Finding) bool {
		return of(f.Path) && slices.Contains(missing, f.Kind) && f.Evidence["in"] != "name"
	})
	for i, r := range w.rep.Entities {
		if of(r.Path) && !r.Encrypted {
			w.rep.Entities[i].Unread = false
		}
	}
}

// volumeState is the part of a walk that remembers volumes.
type volumeState struct {
	volumes     map[volumeSet][]volume
	volumeCount int
	volumeBytes int
}
