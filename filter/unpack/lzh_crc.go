package unpack

// crc16 is the checksum of LHA and ARC: polynomial x16+x15+x2+1, bits
// reflected, starting from zero. The tables after the first are for the bytes
// further on, so that eight can be taken in one step.
var crc16Tables = makeCRC16()

func makeCRC16() (t [8][256]uint16) {
	for i := range 256 {
		c := uint16(i)
		for range 8 {
			c = c>>1 ^ 0xa001*(c&1)
		}
		t[0][i] = c
	}
	for k := 1; k < 8; k++ {
		for i := range 256 {
			prev := t[k-1][i]
			t[k][i] = prev>>8 ^ t[0][prev&0xff]
		}
	}
	return t
}

func crc16(crc uint16, b []byte) uint16 {
	t := &crc16Tables
	for ; len(b) >= 8; b = b[8:] {
		crc ^= uint16(b[0]) | uint16(b[1])<<8
		crc = t[7][crc&0xff] ^ t[6][crc>>8] ^ t[5][b[2]] ^ t[4][b[3]] ^ t[3][b[4]] ^ t[2][b[5]] ^ t[1][b[6]] ^ t[0][b[7]]
	}
	for _, v := range b {
		crc = crc>>8 ^ t[0][byte(crc)^v]
	}
	return crc
}
