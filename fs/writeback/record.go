package writeback

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"github.com/s3mount/s3mount/cache"
	"github.com/s3mount/s3mount/s3"
)

// A journal is a sequence of records:
//
//	magic u32 | length of head u32 | length of data u64 | CRC-32C of head u32 | CRC-32C of the 20 bytes before u32
//	head: JSON | data | CRC-32C of data u32
//
// Numbers are little-endian. The lengths have their own checksum, so that a reader can skip a record
// with damaged data and can detect a torn record.

// recordMagic is the start of each record: "s3mj".
const recordMagic = 0x6a6d3373

const (
	recordHeader  = 24
	recordTrailer = 4
	// maxHead bounds the memory that a damaged journal can make a reader allocate. The head
	// of a million extents has 40 MB.
	maxHead = 64 << 20
)

// recordKind is the kind of a record.
type recordKind string

const (
	recordFile recordKind = "file" // the content and properties of a file
	recordName recordKind = "name" // a Change
	recordDone recordKind = "done" // S3 or the recovery directory has the content
	recordDrop recordKind = "drop" // the file was unlinked
)

// record is the head of a record. The data of a file record are the bytes of its extents, in order.
type record struct {
	Kind      recordKind       `json:"kind"`
	File      uint64           `json:"file"` // the id of the file within one journal
	Seq       uint64           `json:"seq"`  // the seq of the content
	Time      time.Time        `json:"time"`
	Bucket    string           `json:"bucket,omitempty"`
	Key       []byte           `json:"key,omitempty"`      // bytes, because JSON strings must be UTF-8
	Base      *Version         `json:"base,omitempty"`     // the base of Key
	Replaces  string           `json:"replaces,omitempty"` // OpenInput.Replaces
	BaseLen   int64            `json:"baseLen,omitempty"`
	Size      int64            `json:"size,omitempty"`
	Exclusive bool             `json:"exclusive,omitempty"`
	Object    s3.ObjectOptions `json:"object"`
	Extents   []recordExtent   `json:"extents,omitempty"`
	Attempts  []recordAttempt  `json:"attempts,omitempty"`
	Ends      []uint64         `json:"ends,omitempty"`   // files whose content this one replaces, and changes that it contains
	Change    *recordChange    `json:"change,omitempty"` // for recordName
}

// recordAttempt is an attempt within a record.
type recordAttempt struct {
	Size   int64            `json:"size"`
	Object s3.ObjectOptions `json:"object"`
	Print  s3.Fingerprint   `json:"print"`
}

// recordExtent is a range of the file. Ranges of zeros have no data.
type recordExtent struct {
	Off  int64 `json:"off"`
	N    int64 `json:"n"`
	Zero bool  `json:"zero,omitempty"`
}

// data returns the number of bytes of data.
func (r *record) data() int64 {
	n := int64(0)
	for _, e := range r.Extents {
		if !e.Zero {
			n += e.N
		}
	}
	return n
}

// crc returns the CRC-32C of p.
func crc(p []byte) uint32 { return crc32.Checksum(p, crc32.MakeTable(crc32.Castagnoli)) }

// encodeHead returns the header and the head.
func (r *record) encodeHead() ([]byte, error) {
	head, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode journal record: %w", err)
	}
	if len(head) > maxHead { // the content then goes to S3 at once
		return nil, fmt.Errorf("encode journal record: head of %d bytes, at most %d can be read", len(head), maxHead)
	}
	b := make([]byte, 0, recordHeader+len(head))
	b = binary.LittleEndian.AppendUint32(b, recordMagic)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(head)))
	b = binary.LittleEndian.AppendUint64(b, uint64(r.data()))
	b = binary.LittleEndian.AppendUint32(b, crc(head))
	b = binary.LittleEndian.AppendUint32(b, crc(b))
	return append(b, head...), nil
}

// errTorn means that a journal ends within a record, or is damaged from there on.
var errTorn = errors.New("the record is torn")

// errDamaged means that one record is damaged and the next one can be read.
var errDamaged = errors.New("the record is damaged")

// scanned is a record and the position of its data in the segment.
type scanned struct {
	record
	at int64
}

// scanRecords reads the records of a segment and calls yield for each. The error is errDamaged if a
// checksum does not match. scanRecords returns errTorn at a torn end.
func scanRecords(in io.Reader, yield func(scanned, error)) error {
	r := bufio.NewReaderSize(in, cache.BlockSize)
	off := int64(0)
	for {
		var h [recordHeader]byte
		if n, err := io.ReadFull(r, h[:]); err == io.EOF && n == 0 {
			return nil
		} else if err != nil {
			return torn(err)
		}
		headLen := int64(binary.LittleEndian.Uint32(h[4:]))
		dataLen := int64(binary.LittleEndian.Uint64(h[8:]))
		if binary.LittleEndian.Uint32(h[:]) != recordMagic || headLen > maxHead || dataLen < 0 ||
			crc(h[:20]) != binary.LittleEndian.Uint32(h[20:]) {
			return errTorn
		}
		s := scanned{at: off + recordHeader + headLen}
		good, err := s.decode(r, headLen, dataLen, binary.LittleEndian.Uint32(h[16:]))
		if err != nil {
			return torn(err)
		}
		off = s.at + dataLen + recordTrailer
		if good {
			yield(s, nil)
		} else {
			yield(s, errDamaged)
		}
	}
}

// decode reads head and data behind a header, and reports whether both checksums match.
func (s *scanned) decode(r io.Reader, headLen, dataLen int64, headSum uint32) (good bool, err error) {
	head := make([]byte, headLen)
	if _, err := io.ReadFull(r, head); err != nil {
		return false, err
	}
	sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	if _, err := io.CopyN(sum, r, dataLen); err != nil {
		return false, err
	}
	var t [recordTrailer]byte
	if _, err := io.ReadFull(r, t[:]); err != nil {
		return false, err
	}
	good = crc(head) == headSum && sum.Sum32() == binary.LittleEndian.Uint32(t[:]) &&
		json.Unmarshal(head, &s.record) == nil && s.data() == dataLen
	return good, nil
}

// torn turns an early end into errTorn. It returns errors of the disk unchanged.
func torn(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errTorn
	}
	return err
}
