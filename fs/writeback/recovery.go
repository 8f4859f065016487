package writeback

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

const (
	// stampFormat is the time in the names of recovery files and of objects
	// that are kept beside another: UTC, sortable, to the microsecond.
	stampFormat = "20060102T150405.000000Z"
	// missingSuffix ends the name of the list of ranges that a recovery file lacks.
	missingSuffix = ".missing"
	// maxKeyInName leaves room for the time, a number and the suffix in the 255
	// bytes of a file name.
	maxKeyInName = 180
	// saveBuffer is what one step of saving reads: a pool block.
	saveBuffer = 128 << 10
)

// save writes the content into a new file in dir and returns its path. Ranges
// of a base that can no longer be read stay holes and are returned; a list of
// them is put beside the file.
func (s *snapshot) save(ctx context.Context, dir, key string) (path string, missing []span, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", nil, fmt.Errorf("make recovery directory: %w", err)
	}
	name := time.Now().UTC().Format(stampFormat) + "-" + escapeKey(key) + "-*"
	file, err := os.CreateTemp(dir, name) // 0600
	if err != nil {
		return "", nil, fmt.Errorf("make recovery file: %w", err)
	}
	missing, err = s.copyTo(ctx, file)
	err = errors.Join(err, file.Truncate(s.end), file.Sync(), file.Close())
	if err == nil && len(missing) > 0 {
		err = os.WriteFile(file.Name()+missingSuffix, listMissing(s.base.v, missing), 0o600)
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		_ = os.Remove(file.Name())
		return "", nil, fmt.Errorf("write recovery file: %w", err)
	}
	return file.Name(), missing, nil
}

// copyTo writes the content to file, holes left out. A base that could not be read
// once is not asked again: each answer may take as long as S3 is waited for.
func (s *snapshot) copyTo(ctx context.Context, file *os.File) (missing []span, err error) {
	buf := make([]byte, saveBuffer)
	for off := s.off; off < s.end; {
		if gap, ok := s.at(off); len(missing) > 0 && !ok && off < s.baseLen {
			end := min(gap.end(), s.baseLen)
			missing = addSpan(missing, span{off, end})
			off = end
			continue
		}
		p := buf[:min(int64(len(buf)), s.end-off)]
		n, err := s.readSome(ctx, p, off, s.end)
		var lost *baseError
		switch {
		case errors.As(err, &lost):
			missing = addSpan(missing, span{off, off + int64(n)})
		case err != nil:
			return nil, err
		case !allZero(p[:n]):
			if _, err := file.WriteAt(p[:n], off); err != nil {
				return nil, err
			}
		}
		off += int64(n)
	}
	return missing, nil
}

func addSpan(l []span, s span) []span {
	if n := len(l); n > 0 && l[n-1].end == s.off {
		l[n-1].end = s.end
		return l
	}
	return append(l, s)
}

func allZero(p []byte) bool {
	for _, b := range p {
		if b != 0 {
			return false
		}
	}
	return true
}

func listMissing(v Version, missing []span) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# Ranges (offset length) that were to stay as in %q, version %s %s, which is gone.\n",
		v.Key, v.ETag, v.VersionID)
	for _, m := range missing {
		fmt.Fprintf(&b, "%d %d\n", m.off, m.len())
	}
	return []byte(b.String())
}

// escapeKey makes a file name of a key: what is not plain becomes %XX, and only
// the end of a long one is kept.
func escapeKey(key string) string {
	var b strings.Builder
	for i := range len(key) {
		switch c := key[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-',
			c == '.' && key != "." && key != "..":
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	name := b.String()
	if len(name) > maxKeyInName {
		name = name[len(name)-maxKeyInName:]
	}
	return name
}
