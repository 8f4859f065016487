package attrs

import (
	"maps"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/s3mount/s3mount/fs/entry"
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

// ownKeys returns the metadata that Metadata writes, and that MergeMetadata replaces.
func ownKeys() []string {
	return []string{
		metaMode, metaUID, metaGID, metaMtime, metaCtime, metaAtime, metaRdev,
		metaFilePerm, metaFileOwner, metaFileGroup, metaFileMtime, metaFileAtime, MetaXattr,
	}
}

// Metadata returns the user metadata that stores the attributes of a file of kind k.
// The mode is written as decimal st_mode with its type bits, uid and gid in decimal,
// and times as decimal seconds with a fraction of nine digits where there is one.
// Zero times are left out.
func Metadata(a entry.Attr, k entry.Kind) map[string]string {
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
	if k == entry.CharDevice || k == entry.BlockDevice {
		m[metaRdev] = strconv.FormatUint(uint64(a.Rdev), 10)
	}
	if a.Xattr != "" {
		m[MetaXattr] = a.Xattr
	}
	return m
}

// MergeMetadata returns the user metadata of an object with the metadata m after its
// attributes have changed to a. It keeps everything in m that is no attribute.
func MergeMetadata(a entry.Attr, k entry.Kind, m map[string]string) map[string]string {
	out := maps.Clone(m)
	if out == nil {
		out = map[string]string{}
	}
	for _, key := range ownKeys() {
		delete(out, key)
	}
	maps.Copy(out, Metadata(a, k))
	return out
}

// FromMetadata reads attributes from user metadata. It takes attributes that are
// absent or cannot be read from def, and times from lastModified. found is false if
// the metadata holds no attribute at all.
//
// FromMetadata reads each attribute in the dialect of s3fs first, then in the dialect
// of AWS's file services. mode is decimal st_mode (s3fs); a value that cannot be
// decimal is read as octal (rclone with --metadata). Times are seconds with an
// optional fraction (s3fs, rclone), nanoseconds with the suffix "ns" (AWS) or
// RFC 3339 (rclone with --metadata).
func FromMetadata(m map[string]string, def entry.Attr, lastModified time.Time) (k entry.Kind, a entry.Attr, found bool) {
	a = def
	a.Mtime, a.Ctime, a.Atime = lastModified, time.Time{}, time.Time{}
	a.Xattr, found = m[MetaXattr]
	if mode, ok := parseMode(m); ok {
		k, _ = entry.KindOf(mode)
		a.Perm = mode & entry.PermMask
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
			if _, known := entry.KindOf(uint32(mode)); err == nil && known {
				return uint32(mode), true
			}
		}
	}
	if v, ok := m[metaFilePerm]; ok {
		mode, err := strconv.ParseUint(v, 8, 32)
		if _, known := entry.KindOf(uint32(mode)); err == nil && known {
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
