package filetype

var disks = []Type{
	{Name: "iso", Holds: true, Match: isISO},
	{Name: "udf", Holds: true, Match: isUDF},
	{Name: "vhd", Holds: true, Match: isVHD},
	{Name: "vhdx", Holds: true, Match: starts("vhdxfile")},
	{Name: "vmdk", Holds: true, Match: starts("KDMV", "COWD", "# Disk DescriptorFile")},
	{Name: "qcow", Holds: true, Match: starts("QFI\xfb")},
	{Name: "dmg", Holds: true, Match: isDMG},
	{Name: "disk-image", Holds: true, Match: isImage},
}

const sector = 2048

// isDisk says that b is any image of a disk.
func isDisk(b []byte) bool {
	return isISO(b) || isUDF(b) || isVHD(b) || isImage(b) || isDMG(b) || at(b, 0, "vhdxfile")
}

// isISO matches a volume descriptor (ECMA-119 §8.1) at its place, also in an
// image of raw sectors.
func isISO(b []byte) bool {
	return at(b, 16*sector+1, "CD001") || at(b, 17*sector+1, "CD001") ||
		at(b, 16*2352+17, "CD001") || at(b, 16*2352+25, "CD001")
}

// isUDF matches the recognition sequence (ECMA-167 part 2 §8).
func isUDF(b []byte) bool {
	for n := 16; n < 32; n++ {
		if at(b, n*sector+1, "NSR02") || at(b, n*sector+1, "NSR03") {
			return true
		}
	}
	return false
}

// isVHD matches the footer, or its copy in front of a dynamic disk.
func isVHD(b []byte) bool {
	return at(b, 0, "conectix") || at(b, len(b)-512, "conectix") || at(b, len(b)-511, "conectix")
}

func isDMG(b []byte) bool { return at(b, len(b)-512, "koly\x00\x00\x00\x04") }

// isImage matches a bare disk or floppy: a boot sector of FAT or NTFS, or a
// partition table (GPT, Apple).
func isImage(b []byte) bool {
	if at(b, 512, "EFI PART") || at(b, 512, "PM\x00\x00") && at(b, 0, "ER") {
		return true
	}
	if len(b) < 512 {
		return false
	}
	jump := b[0] == 0xeb && b[2] == 0x90 || b[0] == 0xe9
	if jump && isFAT(b) {
		return true
	}
	if !at(b, 510, "\x55\xaa") {
		return false
	}
	return jump && (at(b, 54, "FAT") || at(b, 82, "FAT32") || at(b, 3, "NTFS    ") || at(b, 3, "EXFAT   ")) || isMBR(b)
}

// isFAT matches the layout in a FAT's boot sector whose table begins with the
// same byte for the medium (Microsoft's FAT specification 1.03, §3). Floppies
// of DOS have no mark at the sector's end.
func isFAT(b []byte) bool {
	size, cluster, reserved := u16(b, 11), int(b[13]), u16(b, 14)
	if size < 128 || size > 4096 || size&(size-1) != 0 || cluster == 0 || cluster&(cluster-1) != 0 || reserved == 0 {
		return false
	}
	return b[16] > 0 && b[16] <= 4 && (b[21] == 0xf0 || b[21] >= 0xf8) && at(b, reserved*size, string(b[21:22])+"\xff")
}

// isMBR matches a partition table of which some entry is set and each is sane.
func isMBR(b []byte) bool {
	used := 0
	for i := 446; i < 510; i += 16 {
		switch {
		case b[i] != 0 && b[i] != 0x80:
			return false
		case b[i+4] != 0 && u32(b, i+8) > 0 && u32(b, i+12) > 0:
			used++
		}
	}
	return used > 0 && len(b) >= 2*512 && !isPE(b) && !isText(b)
}
