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
	// stampFormat is the format of the time in the names of recovery files and of
	// keep-both objects: UTC, sortable, to the microsecond.
	stampFormat = "20060102T150405.000000Z"
	// missingSuffix is the suffix of the list of ranges that a recovery file lacks.
	missingSuffix = ".missing"
	// maxKeyInName leaves room for the time, a number and the suffix in a file name of 255
	// bytes.
	maxKeyInName = 180
	// saveBuffer is the size of one read, a pool block.
	saveBuffer = 128 << 10
)

// save writes the content to a new file in dir and returns its path. Ranges of a base that cannot be
// read stay holes. save returns them in missing and writes a list of them beside the file.
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

// copyTo writes the content to file and leaves out the holes. It does not read a base again after an
// error, because each attempt may take the full deadline.
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

// escapeKey returns a file name for a key. Special characters become %XX. The start of a long key is
// cut off.
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
