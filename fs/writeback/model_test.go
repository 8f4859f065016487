package writeback

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/s3mount/s3mount/s3"
)

// model is the expected state of a file: bytes, and the object that others see.
type model struct {
	t       *rapid.T
	b       *bench
	f       *File
	want    []byte
	object  []byte   // the possible content of the object; nil: absent
	attempt [][]byte // contents that failed commits may have written
	seed    uint64
}

// maxModelSize keeps a case of thirty steps fast. It is ten parts of 64 KiB.
const maxModelSize = 700 << 10

func (m *model) check() {
	if err := m.f.check(); err != nil {
		m.t.Fatalf("invariant: %v", err)
	}
	if n := m.f.Size(); n != int64(len(m.want)) {
		m.t.Fatalf("size %d, want %d", n, len(m.want))
	}
}

// fresh returns bytes that differ from all earlier ones.
func (m *model) fresh(n int) []byte {
	m.seed++
	return random(n, m.seed)
}

func (m *model) write(off, n int) {
	p := m.fresh(n)
	mustWrite(m.t, m.f, p, int64(off))
	m.grow(off + n)
	copy(m.want[off:], p)
}

func (m *model) grow(n int) {
	if n > len(m.want) {
		m.want = append(m.want, make([]byte, n-len(m.want))...)
	}
}

func (m *model) commit() {
	v, err := m.f.Commit(context.Background())
	switch {
	case err == nil:
		m.object, m.attempt = append([]byte{}, m.want...), nil
		sameContent(m.t, "object after a commit", m.b.s.object("k"), m.want)
		if v.Size != int64(len(m.want)) {
			m.t.Fatalf("version has %d bytes, want %d", v.Size, len(m.want))
		}
	case errors.Is(err, s3.ErrTransient):
		m.attempt = append(m.attempt, append([]byte{}, m.want...))
		m.visible()
	default:
		m.t.Fatalf("commit: %v", err)
	}
}

// visible checks that others see the old object or the new one, never a mixture (I7).
func (m *model) visible() {
	got := m.b.s.object("k")
	for _, a := range append(m.attempt, m.object) {
		if string(a) == string(got) && (a == nil) == (got == nil) {
			return
		}
	}
	m.t.Fatalf("I7: the object of %d bytes is neither the old one nor a new one", len(got))
}

func (m *model) read(off, n int) {
	p := make([]byte, n)
	got, err := m.f.ReadAt(context.Background(), p, int64(off))
	want := min(n, max(0, len(m.want)-off))
	if got != want || err != nil && err != io.EOF || (err == io.EOF) != (want < n) {
		m.t.Fatalf("ReadAt(%d, %d): %d, %v; want %d", n, off, got, err, want)
	}
	if want > 0 {
		sameContent(m.t, fmt.Sprintf("read at %d", off), p[:got], m.want[off:off+want])
	}
}

// run does random steps. broken makes some store calls fail.
func (m *model) run(broken bool) {
	ctx := context.Background()
	t := m.t
	off := rapid.IntRange(0, maxModelSize-1)
	size := rapid.OneOf(rapid.IntRange(1, 5000), rapid.IntRange(1, 200_000))
	// An upload whose creation succeeds without an answer stays, and is not part of this test. A
	// call may still run when its step ends.
	var failing atomic.Bool
	fault := func(late bool) func(op, key string) error {
		return func(op, key string) error {
			if failing.Load() && op != "abort" && op != "delete" && op != "head" && !(late && op == "create") {
				return errFake
			}
			return nil
		}
	}
	steps := map[string]func(*rapid.T){
		"write": func(t *rapid.T) { m.write(off.Draw(t, "off"), size.Draw(t, "n")) },
		"append": func(t *rapid.T) {
			p := m.fresh(size.Draw(t, "n"))
			if len(m.want) > maxModelSize {
				return
			}
			at, err := m.f.Append(ctx, p)
			if err != nil || at != int64(len(m.want)) {
				t.Fatalf("append at %d, %v; want %d", at, err, len(m.want))
			}
			m.want = append(m.want, p...)
		},
		"read": func(t *rapid.T) { m.read(off.Draw(t, "off"), size.Draw(t, "n")) },
		"truncate": func(t *rapid.T) {
			n := off.Draw(t, "size")
			if err := m.f.Truncate(ctx, int64(n)); err != nil {
				t.Fatalf("truncate: %v", err)
			}
			m.grow(n)
			m.want = m.want[:n:n]
		},
		"punch": func(t *rapid.T) {
			o, n := off.Draw(t, "off"), size.Draw(t, "n")
			if err := m.f.PunchHole(ctx, int64(o), int64(n)); err != nil {
				t.Fatalf("punch: %v", err)
			}
			if o < len(m.want) {
				clear(m.want[o:min(o+n, len(m.want))])
			}
		},
		"spill": func(t *rapid.T) {
			if _, err := m.f.spillAny(); err != nil {
				t.Fatalf("spill: %v", err)
			}
		},
		"background": func(t *rapid.T) { // newer bytes arrive while a commit runs
			m.f.mu.Lock()
			if m.f.state == stateDirty {
				m.f.start()
				m.attempt = append(m.attempt, append([]byte{}, m.want...))
			}
			m.f.mu.Unlock()
		},
		"commit": func(t *rapid.T) {
			failing.Store(broken && rapid.Bool().Draw(t, "fail"))
			if rapid.Bool().Draw(t, "late") {
				m.b.s.hook(nil, fault(true))
			} else {
				m.b.s.hook(fault(false), nil)
			}
			m.commit()
			failing.Store(false)
			m.b.s.hook(nil, nil)
		},
		"idle": func(t *rapid.T) { <-m.b.quiet(); m.visible() },
		"":     func(t *rapid.T) { m.check() },
	}
	t.Repeat(steps)
	<-m.b.quiet()
	m.check()
	m.read(0, len(m.want))
	m.commit()
	m.read(0, len(m.want))
	mustClose(t, m.f)
	m.b.end(t)
}

func newModel(t *rapid.T, dir string) *model {
	m := &model{t: t}
	m.b = newBench(t, dir, 1<<20, nil)
	part := rapid.Int64Range(16<<10, 80<<10).Draw(t, "part")
	m.b.shrink(part, rapid.Int64Range(8<<10, part).Draw(t, "min"))
	if rapid.Bool().Draw(t, "base") {
		m.want = m.fresh(rapid.IntRange(0, maxModelSize).Draw(t, "size"))
		m.b.s.put("k", m.want)
		m.object = append([]byte{}, m.want...)
		m.f = m.b.openKey("k")
	} else {
		m.f = m.b.Open(OpenInput{Key: "k"})
	}
	return m
}

// TestModel compares random operations with a slice of bytes.
func TestModel(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) { newModel(t, dir).run(false) })
}

// TestModelWithFaults is like TestModel on a store that fails some commits, before or after they
// are executed.
func TestModelWithFaults(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) { newModel(t, dir).run(true) })
	if left, _ := os.ReadDir(dir + "/recovery"); len(left) != 0 {
		t.Errorf("%d recovery files although every file was committed at last", len(left))
	}
}
