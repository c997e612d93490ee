package unpack

import (
	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
	"sekisho/filter/key"
)

// opener draws the members of one container. What it can count in members it
// counts in bud, and it stops when bud says so.
type opener func(e *entity.Entity, bud *budget.Budget, yield func(*entity.Entity)) []finding.Finding

// unlocker is an opener that tries keys on what needs a password.
type unlocker func(e *entity.Entity, keys *key.Ring, bud *budget.Budget, yield func(*entity.Entity)) []finding.Finding

// Format is one kind of container. Name is the one of package filetype. It has
// an opener, or an unlocker where its members may need a password.
type Format struct {
	Name   string
	is     string // the more general format, when both match
	open   opener
	unlock unlocker
	// confined says that the decoder is a library's that believes what it
	// reads: it runs only where the process can do no harm and may die.
	confined bool
}

// Formats is every container we know. One without an opener is recognised and
// named container.unopened: its decoder is missing or is too trusting to be
// run yet.
var Formats = []Format{
	{Name: "zip", unlock: unlockZip},
	{Name: "lzh", open: openLZH},
	{Name: "tar", open: openTar},
	{Name: "gzip", open: openGzip},
	{Name: "bzip2", open: openBzip2},
	{Name: "xz", open: openXz},
	{Name: "zstd", open: openZstd},
	{Name: "lz4", open: openLz4},
	{Name: "lzip", open: openLzip},
	{Name: "compress", open: openCompress},
	{Name: "cpio", open: openCpio},
	{Name: "ar", open: openAr},
	{Name: "deb", is: "ar", open: openAr},
	{Name: "tnef", open: openTNEF},
	{Name: "msg", open: openMSG},
	{Name: "pkcs7-signed", open: openCMS},
	{Name: "pkcs7-compressed", open: openCMS},
	{Name: "ics", open: openICS},
	{Name: "vcf", open: openICS},
	{Name: "7z", unlock: unlockSevenZip},
	{Name: "rar", unlock: unlockRAR},
	{Name: "cab", open: openCAB},
	{Name: "arj", open: openARJ},
	{Name: "ace", open: openACE},
	{Name: "iso", open: openISO},
	{Name: "udf", is: "iso", open: openISO},
	{Name: "disk-image", is: "vhd", open: openDisk},
	{Name: "alz", open: openALZ},
	{Name: "egg"},
	{Name: "vhd", open: openVHD},
	{Name: "vhdx", open: openVHDX},
	{Name: "wim", open: openWIM},
	{Name: "xar", open: openXAR},
	{Name: "dmg"},
	{Name: "sit"},
	{Name: "zpaq"},
	{Name: "ole", unlock: unlockOLE},
	{Name: "msi", is: "ole", unlock: unlockOLE},
	{Name: "rtf", open: openRTF},
	{Name: "onenote", open: openOneNote},
	{Name: "chm", open: openCHM},
	{Name: "lzma", open: openLZMAAlone},
	{Name: "lzop", open: openLzop},
	{Name: "szdd", open: openSZDD},
	{Name: "arc"},
	{Name: "zoo"},
	{Name: "rpm"},
	{Name: "squashfs"},
	{Name: "vmdk"},
	{Name: "qcow"},
}
