package filetype

import "slices"

// Types is every type we know, by family. All that match are kept.
var Types = slices.Concat(programs, shortcuts, scripts, archives, disks, offices, texts, documents, images, media)
