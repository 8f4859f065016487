package soak

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// These are the names of files in the control directory, by which the parent and the
// workers synchronize.
const (
	lockFile = "lock" // held shared during an operation, exclusively while a mount is being restarted
	stopFile = "stop" // exists when all faults have ended: compare the files and exit
)

// file is the content of a name as a worker expects it.
type file struct {
	known  bool
	exists bool
	data   []byte
	past   []string // the last operations, for the report of a difference
}

// did notes what was tried on a file.
func (f *file) did(op string, size int, began time.Time, err error) {
	const enough = 20
	f.past = append(f.past[max(0, len(f.past)-enough):], fmt.Sprintf("%s for %v: %s to %d bytes: %v",
		began.UTC().Format("15:04:05.000"), time.Since(began).Round(time.Millisecond), op, size, err))
}

// worker executes random operations on its own files.
type worker struct {
	dir, ctl string
	seed     int
	rand     *rand.Rand
	lock     *os.File
	files    map[string]*file
	done     map[string]int // operations that succeeded
	failed   map[string]int // by error
}

// workerOp is the process of a worker: mount directory, control directory, seed.
func workerOp(args []string) error {
	seed, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	w := &worker{dir: args[0], ctl: args[1], seed: seed, rand: rand.New(rand.NewPCG(uint64(seed), 1)),
		files: map[string]*file{}, done: map[string]int{}, failed: map[string]int{}}
	if w.lock, err = os.Open(filepath.Join(w.ctl, lockFile)); err != nil {
		return err
	}
	for i := range 8 {
		w.files[fmt.Sprintf("w%d-f%d", seed, i)] = &file{known: true}
	}
	for !w.stopped() {
		if err := w.locked(w.step); err != nil {
			return err
		}
	}
	fmt.Printf("worker %d: %v, failed %v\n", seed, w.done, w.failed)
	if err := os.WriteFile(countPath(w.ctl, seed), []byte(strconv.Itoa(w.succeeded())), 0o644); err != nil {
		return err
	}
	if err := w.locked(w.compareAll); err != nil {
		return err
	}
	return w.writeManifest()
}

func (w *worker) stopped() bool {
	_, err := os.Stat(filepath.Join(w.ctl, stopFile))
	return err == nil
}

// locked runs one operation while the mount is not taken away.
func (w *worker) locked(op func() error) error {
	if err := unix.Flock(int(w.lock.Fd()), unix.LOCK_SH); err != nil {
		return err
	}
	defer unix.Flock(int(w.lock.Fd()), unix.LOCK_UN)
	return op()
}

// payload is data that depends on the worker and the moment.
func (w *worker) payload() []byte {
	n := w.rand.IntN(200 << 10)
	if w.rand.IntN(12) == 0 {
		n = 5<<20 + w.rand.IntN(8<<20) // parts
	}
	b := make([]byte, n)
	src := rand.NewChaCha8([32]byte{byte(w.rand.Uint32()), byte(w.rand.Uint32()), byte(w.rand.Uint32()), byte(w.seed)})
	_, _ = src.Read(b) // never fails
	return b
}

func (w *worker) pick() (string, *file) {
	name := fmt.Sprintf("w%d-f%d", w.seed, w.rand.IntN(len(w.files)))
	return name, w.files[name]
}

// step executes one operation. It does not return the error of the operation, but an
// error if the content of a file is wrong.
func (w *worker) step() error {
	name, f := w.pick()
	path := filepath.Join(w.dir, name)
	switch op := w.rand.IntN(10); {
	case op < 3 || !f.known:
		data := w.payload()
		began := time.Now()
		w.took("write", began, f, &file{exists: true, data: data}, os.WriteFile(path, data, 0o644))
	case op < 5:
		return w.compare(name, f)
	case op == 5:
		began := time.Now()
		err := os.Remove(path)
		if !f.exists && errors.Is(err, unix.ENOENT) {
			err = nil
		}
		w.took("remove", began, f, &file{}, err)
	case op == 6 && f.exists:
		return w.rename(name, f)
	case op == 7 && f.exists:
		size := w.rand.IntN(len(f.data) + 1000)
		began := time.Now()
		w.took("truncate", began, f, &file{exists: true, data: resized(f.data, size)}, os.Truncate(path, int64(size)))
	case f.exists:
		w.patch(path, f)
	}
	return nil
}

// took records the outcome of an operation. After an error it is unknown.
func (w *worker) took(op string, began time.Time, f, to *file, err error) {
	f.did(op, len(to.data), began, err)
	f.known, f.exists, f.data = err == nil, to.exists, to.data
	if err != nil {
		w.fail(op, err)
		return
	}
	w.done[op]++
}

func resized(data []byte, size int) []byte {
	out := make([]byte, size)
	copy(out, data)
	return out
}

// patch writes somewhere into a file, or behind its end.
func (w *worker) patch(path string, f *file) {
	data := w.payload()
	off := w.rand.IntN(len(f.data) + 1)
	to := resized(f.data, max(len(f.data), off+len(data)))
	copy(to[off:], data)
	began := time.Now()
	err := func() error {
		h, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		_, err = h.WriteAt(data, int64(off))
		if w.rand.IntN(4) == 0 {
			err = errors.Join(err, h.Sync())
		}
		return errors.Join(err, h.Close())
	}()
	w.took("patch", began, f, &file{exists: true, data: to}, err)
}

func (w *worker) rename(name string, f *file) error {
	to, g := w.pick()
	if to == name {
		return nil
	}
	began := time.Now()
	err := os.Rename(filepath.Join(w.dir, name), filepath.Join(w.dir, to))
	g.past = slices.Clone(f.past)
	w.took("rename", began, g, f, err)
	g.did("rename from "+name, len(f.data), began, err)
	*f = file{known: err == nil, past: f.past}
	f.did("rename to "+to, 0, began, err)
	return nil
}

// compare reads a file. It may fail while the mount is dead, but never lie.
func (w *worker) compare(name string, f *file) error {
	began := time.Now()
	got, err := os.ReadFile(filepath.Join(w.dir, name))
	switch {
	case !f.known:
	case err == nil && f.exists && string(got) == string(f.data), errors.Is(err, unix.ENOENT) && !f.exists:
		w.done["read"]++
		f.did("read", len(got), began, err)
	case err == nil || errors.Is(err, unix.ENOENT):
		return fmt.Errorf("%s at %s: %d bytes (%v), it must have %d and exist: %v; they differ at %d; what is more is zeros: %v; before it:\n%s",
			name, began.UTC().Format("15:04:05.000"), len(got), err, len(f.data), f.exists, firstDiff(got, f.data),
			len(bytes.Trim(got[min(len(got), len(f.data)):], "\x00")) == 0, strings.Join(f.past, "\n"))
	default:
		w.fail("read", err)
	}
	return nil
}

// fail notes an operation that failed, as it may in a storm.
func (w *worker) fail(op string, err error) {
	errno := unix.Errno(0)
	errors.As(err, &errno)
	w.failed[op+" "+unix.ErrnoName(errno)]++
}

func firstDiff(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// compareAll is compare when nothing may fail any more.
func (w *worker) compareAll() error {
	clear(w.failed)
	for name, f := range w.files {
		if err := w.compare(name, f); err != nil {
			return err
		}
	}
	if len(w.failed) > 0 {
		return fmt.Errorf("files cannot be read although all is healed: %v", w.failed)
	}
	return nil
}

// writeManifest says what must be in the bucket: the SHA-256 by name, "" for absent.
func (w *worker) writeManifest() error {
	sums := map[string]string{}
	for name, f := range w.files {
		switch {
		case f.known && f.exists:
			sums[name] = fmt.Sprintf("%x", sha256.Sum256(f.data))
		case f.known:
			sums[name] = ""
		}
	}
	b, err := json.Marshal(sums)
	if err != nil {
		return err
	}
	return os.WriteFile(manifestPath(w.ctl, w.seed), b, 0o644)
}

// succeeded returns the number of operations that succeeded.
func (w *worker) succeeded() int {
	n := 0
	for _, c := range w.done {
		n += c
	}
	return n
}

// countPath names the file with the number of operations of a worker.
func countPath(ctl string, seed int) string {
	return filepath.Join(ctl, fmt.Sprintf("count-%d", seed))
}

func manifestPath(ctl string, seed int) string {
	return filepath.Join(ctl, fmt.Sprintf("manifest-%d", seed))
}
