package namespace

import (
	"maps"
	"math"
	"strconv"
	"strings"
	"time"
)

// The file type bits of st_mode (inode(7)).
const (
	modeFmt    = 0o170000
	modeSocket = 0o140000
	modeLink   = 0o120000
	modeFile   = 0o100000
	modeBlock  = 0o060000
	modeDir    = 0o040000
	modeChar   = 0o020000
	modeFIFO   = 0o010000

	permMask = 0o7777
)

// The user metadata (x-amz-meta-*) that holds attributes. The first group is
// what s3fs writes; rclone writes and reads its mtime. The second group is
// what AWS's file services write.
const (
	metaMode  = "mode"
	metaUID   = "uid"
	metaGID   = "gid"
	metaMtime = "mtime"
	metaCtime = "ctime"
	metaAtime = "atime"
	metaRdev  = "rdev"

	metaFilePerm  = "file-permissions"
	metaFileOwner = "file-owner"
	metaFileGroup = "file-group"
	metaFileMtime = "file-mtime"
	metaFileAtime = "file-atime"
)

// attrKeys lists the metadata that Attr.Metadata owns: SetAttr replaces these
// and keeps all other.
func attrKeys() []string {
	return []string{
		metaMode, metaUID, metaGID, metaMtime, metaCtime, metaAtime, metaRdev,
		metaFilePerm, metaFileOwner, metaFileGroup, metaFileMtime, metaFileAtime, metaXattr,
	}
}

// Mode returns the st_mode of a file of kind k with these attributes.
func (a Attr) Mode(k Kind) uint32 { return k.modeBits() | a.Perm&permMask }

func (k Kind) modeBits() uint32 {
	switch k {
	case Directory:
		return modeDir
	case Symlink:
		return modeLink
	case FIFO:
		return modeFIFO
	case Socket:
		return modeSocket
	case CharDevice:
		return modeChar
	case BlockDevice:
		return modeBlock
	default:
		return modeFile
	}
}

// kindOf returns the kind of an st_mode; no type bits mean a file.
func kindOf(mode uint32) (Kind, bool) {
	switch mode & modeFmt {
	case 0, modeFile:
		return File, true
	case modeDir:
		return Directory, true
	case modeLink:
		return Symlink, true
	case modeFIFO:
		return FIFO, true
	case modeSocket:
		return Socket, true
	case modeChar:
		return CharDevice, true
	case modeBlock:
		return BlockDevice, true
	}
	return File, false
}

// Metadata returns the user metadata that stores these attributes: mode as
// decimal st_mode with its type bits, uid and gid in decimal, times as
// decimal seconds with a fraction of nine digits where there is one. Zero
// times are left out.
func (a Attr) Metadata(k Kind) map[string]string {
	m := map[string]string{
		metaMode: strconv.FormatUint(uint64(a.Mode(k)), 10),
		metaUID:  strconv.FormatUint(uint64(a.UID), 10),
		metaGID:  strconv.FormatUint(uint64(a.GID), 10),
	}
	for key, t := range map[string]time.Time{metaMtime: a.Mtime, metaCtime: a.Ctime, metaAtime: a.Atime} {
		if !t.IsZero() {
			m[key] = formatTime(t)
		}
	}
	if k == CharDevice || k == BlockDevice {
		m[metaRdev] = strconv.FormatUint(uint64(a.Rdev), 10)
	}
	if a.Xattr != "" {
		m[metaXattr] = a.Xattr
	}
	return m
}

// MergeMetadata returns the user metadata of an object after its attributes
// changed to a: all that m holds beside attributes stays.
func (a Attr) MergeMetadata(k Kind, m map[string]string) map[string]string {
	out := maps.Clone(m)
	if out == nil {
		out = map[string]string{}
	}
	for _, key := range attrKeys() {
		delete(out, key)
	}
	maps.Copy(out, a.Metadata(k))
	return out
}

// AttrFromMetadata reads attributes from user metadata. What is absent or
// cannot be read is taken from def, and times from lastModified. found is
// false if the metadata holds no attribute at all.
//
// Each attribute is read from the dialect of s3fs first, then from the one of
// AWS's file services. mode is decimal st_mode (s3fs); a value that cannot be
// one is read as octal (rclone with --metadata). Times are seconds with an
// optional fraction (s3fs, rclone), nanoseconds with the suffix "ns" (AWS) or
// RFC 3339 (rclone with --metadata).
func AttrFromMetadata(m map[string]string, def Attr, lastModified time.Time) (k Kind, a Attr, found bool) {
	a = def
	a.Mtime, a.Ctime, a.Atime = lastModified, time.Time{}, time.Time{}
	a.Xattr, found = m[metaXattr]
	if mode, ok := parseMode(m); ok {
		k, _ = kindOf(mode)
		a.Perm = mode & permMask
		found = true
	}
	for _, f := range []struct {
		to   *uint32
		keys [2]string
	}{
		{&a.UID, [2]string{metaUID, metaFileOwner}},
		{&a.GID, [2]string{metaGID, metaFileGroup}},
		{&a.Rdev, [2]string{metaRdev, metaRdev}},
	} {
		if v, ok := firstUint(m, f.keys); ok {
			*f.to = v
			found = true
		}
	}
	for _, f := range []struct {
		to   *time.Time
		keys [2]string
	}{
		{&a.Mtime, [2]string{metaMtime, metaFileMtime}},
		{&a.Ctime, [2]string{metaCtime, metaCtime}},
		{&a.Atime, [2]string{metaAtime, metaFileAtime}},
	} {
		if t, ok := firstTime(m, f.keys); ok {
			*f.to = t
			found = true
		}
	}
	if a.Ctime.IsZero() {
		a.Ctime = later(a.Mtime, lastModified)
	}
	if a.Atime.IsZero() {
		a.Atime = a.Mtime
	}
	return k, a, found
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func parseMode(m map[string]string) (uint32, bool) {
	if v, ok := m[metaMode]; ok {
		base := 10
		if strings.HasPrefix(v, "0") && len(v) > 1 {
			base = 8
		}
		for ; base >= 8; base -= 2 {
			mode, err := strconv.ParseUint(v, base, 32)
			if _, known := kindOf(uint32(mode)); err == nil && known && mode <= modeFmt|permMask {
				return uint32(mode), true
			}
		}
	}
	if v, ok := m[metaFilePerm]; ok {
		mode, err := strconv.ParseUint(v, 8, 32)
		if _, known := kindOf(uint32(mode)); err == nil && known && mode <= modeFmt|permMask {
			return uint32(mode), true
		}
	}
	return 0, false
}

func firstUint(m map[string]string, keys [2]string) (uint32, bool) {
	for _, key := range keys {
		if v, err := strconv.ParseUint(m[key], 10, 32); err == nil {
			return uint32(v), true
		}
	}
	return 0, false
}

func firstTime(m map[string]string, keys [2]string) (time.Time, bool) {
	for _, key := range keys {
		if t, ok := parseTime(m[key]); ok {
			return t, true
		}
	}
	return time.Time{}, false
}

func formatTime(t time.Time) string {
	ns := t.UnixNano()
	sec, frac := ns/1e9, ns%1e9
	sign := ""
	if ns < 0 {
		sign, sec, frac = "-", -sec, -frac
	}
	s := sign + strconv.FormatInt(sec, 10)
	if frac == 0 {
		return s
	}
	digits := strconv.FormatInt(frac, 10)
	return s + "." + strings.Repeat("0", 9-len(digits)) + digits
}

func parseTime(s string) (time.Time, bool) {
	if s == "" {
		return time.Time{}, false
	}
	if ns, ok := strings.CutSuffix(s, "ns"); ok {
		v, err := strconv.ParseInt(ns, 10, 64)
		return time.Unix(0, v), err == nil
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, true
	}
	whole, frac, _ := strings.Cut(s, ".")
	neg := strings.HasPrefix(whole, "-")
	sec, err := strconv.ParseInt(whole, 10, 64)
	// Times must fit in 64 bits of nanoseconds, as all arithmetic here does.
	if err != nil || sec > math.MaxInt64/1_000_000_000-1 || sec < math.MinInt64/1_000_000_000+1 {
		return time.Time{}, false
	}
	var ns int64
	if frac != "" {
		frac = (frac + "000000000")[:9]
		if ns, err = strconv.ParseInt(frac, 10, 64); err != nil || ns < 0 {
			return time.Time{}, false
		}
	}
	if neg {
		ns = -ns
	}
	return time.Unix(sec, ns), true
}
