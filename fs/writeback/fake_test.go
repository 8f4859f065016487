package writeback

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/s3mount/s3mount/cache"
	"github.com/s3mount/s3mount/s3"
)

// fakeStore is an in-memory bucket that follows S3's rules for the calls of writeback: conditions, part
// sizes and order, MD5 ETags.
type fakeStore struct {
	minPart int64
	revive  int  // the number of aborts that a late part undoes
	discard bool // bodies are counted and not compared

	mu       sync.Mutex
	objects  map[string]*fakeObject
	uploads  map[string]*fakeUpload
	calls    []string // the calls, in order
	sent     int64    // bytes of bodies
	copied   int64    // bytes of part copies
	reach    int64    // the largest end that CopyWithin was called with
	read     int64    // bytes read through readers
	ids      int
	versions map[string]*fakeObject // every version by key and ETag, for readers that are opened later

	// before is called before a call is executed, and after when it was executed. Their error
	// replaces the answer.
	before, after func(op, key string) error
}

type fakeObject struct {
	data []byte
	size int64
	etag string
	opts s3.ObjectOptions

	modified time.Time
}

type fakeUpload struct {
	key   string
	opts  s3.ObjectOptions
	parts map[int]*fakePart
}

type fakePart struct {
	data []byte
	size int64
	sum  [md5.Size]byte
}

func newFakeStore() *fakeStore {
	return &fakeStore{minPart: s3.MinPartSize, objects: map[string]*fakeObject{},
		uploads: map[string]*fakeUpload{}, versions: map[string]*fakeObject{}}
}

var errFake = fmt.Errorf("injected: %w", s3.ErrTransient)

// do runs one call between the hooks.
func (s *fakeStore) do(op, key string, call func() error) error {
	s.mu.Lock()
	s.calls = append(s.calls, op)
	before, after := s.before, s.after
	s.mu.Unlock()
	if before != nil {
		if err := before(op, key); err != nil {
			return err
		}
	}
	s.mu.Lock()
	err := call()
	s.mu.Unlock()
	if err == nil && after != nil {
		err = after(op, key)
	}
	return err
}

func (s *fakeStore) check(key, ifMatch, ifNoneMatch string) error {
	o := s.objects[key]
	switch {
	case ifMatch != "" && o == nil:
		return s3.ErrNotFound
	case ifMatch != "" && o.etag != ifMatch, ifNoneMatch == "*" && o != nil:
		return s3.ErrPreconditionFailed
	}
	return nil
}

func (s *fakeStore) set(key string, o *fakeObject) {
	o.modified = time.Now().Add(-time.Minute) // long ago, unless a test sets it
	s.objects[key] = o
	s.versions[key+o.etag] = o
}

// consume reads a body of size bytes.
func (s *fakeStore) consume(body io.Reader, size int64) (*fakePart, error) {
	p := &fakePart{size: size}
	h := md5.New()
	var n int64
	var err error
	if s.discard {
		n, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, body, make([]byte, 128<<10))
	} else {
		var b bytes.Buffer
		n, err = io.Copy(io.MultiWriter(&b, h), body)
		p.data = b.Bytes()
	}
	if err != nil {
		return nil, fmt.Errorf("send body: %w", err)
	}
	if n != size {
		return nil, fmt.Errorf("body has %d bytes, not %d: %w", n, size, s3.ErrInvalidInput)
	}
	h.Sum(p.sum[:0])
	s.mu.Lock()
	s.sent += n
	s.mu.Unlock()
	return p, nil
}

func (s *fakeStore) Put(ctx context.Context, in *s3.PutInput) (*s3.PutOutput, error) {
	p, err := s.consume(in.Body, in.Size)
	if err != nil {
		return nil, err
	}
	etag := `"` + hex.EncodeToString(p.sum[:]) + `"`
	err = s.do("put", in.Key, func() error {
		if err := s.check(in.Key, in.IfMatch, in.IfNoneMatch); err != nil {
			return err
		}
		s.set(in.Key, &fakeObject{data: p.data, size: p.size, etag: etag, opts: in.ObjectOptions})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &s3.PutOutput{ETag: etag}, nil
}

func (s *fakeStore) CreateUpload(ctx context.Context, in *s3.CreateUploadInput) (id s3.UploadID, err error) {
	err = s.do("create", in.Key, func() error {
		s.ids++
		id = s3.UploadID{Bucket: in.Bucket, Key: in.Key, ID: fmt.Sprint("u", s.ids)}
		s.uploads[id.ID] = &fakeUpload{key: in.Key, opts: in.ObjectOptions, parts: map[int]*fakePart{}}
		return nil
	})
	return id, err
}

func (s *fakeStore) UploadPart(ctx context.Context, in *s3.UploadPartInput) (*s3.Part, error) {
	p, err := s.consume(in.Body, in.Size)
	if err != nil {
		return nil, err
	}
	err = s.do("part", in.Upload.Key, func() error { return s.addPart(in.Upload.ID, in.PartNumber, p) })
	if err != nil {
		return nil, err
	}
	return &s3.Part{Number: in.PartNumber, ETag: hex.EncodeToString(p.sum[:]), Size: p.size}, nil
}

func (s *fakeStore) addPart(id string, number int, p *fakePart) error {
	u := s.uploads[id]
	if u == nil {
		return s3.ErrNotFound
	}
	if number < 1 || number > s3.MaxPartNumber || p.size > s3.MaxPartSize {
		return s3.ErrInvalidInput
	}
	u.parts[number] = p
	return nil
}

func (s *fakeStore) CopyPart(ctx context.Context, in *s3.CopyPartInput) (*s3.Part, error) {
	p := &fakePart{size: in.Last - in.First + 1}
	err := s.do("copy", in.Upload.Key, func() error {
		o := s.objects[in.SrcKey]
		if o == nil {
			return s3.ErrNotFound
		}
		if in.SrcIf.IfMatch != "" && o.etag != in.SrcIf.IfMatch {
			return s3.ErrPreconditionFailed
		}
		if in.First < 0 || in.Last >= o.size {
			return s3.ErrInvalidRange
		}
		if !s.discard {
			p.data = o.data[in.First : in.Last+1]
		}
		p.sum = md5.Sum(p.data)
		s.copied += p.size
		return s.addPart(in.Upload.ID, in.PartNumber, p)
	})
	if err != nil {
		return nil, err
	}
	return &s3.Part{Number: in.PartNumber, ETag: hex.EncodeToString(p.sum[:]), Size: p.size}, nil
}

func (s *fakeStore) CompleteUpload(ctx context.Context, in *s3.CompleteUploadInput) (*s3.PutOutput, error) {
	var etag string
	err := s.do("complete", in.Upload.Key, func() error {
		u := s.uploads[in.Upload.ID]
		if u == nil {
			return s3.ErrNotFound
		}
		if err := s.check(u.key, in.IfMatch, in.IfNoneMatch); err != nil {
			return err
		}
		o := &fakeObject{opts: u.opts}
		h := md5.New()
		for i, p := range in.Parts {
			have := u.parts[p.Number]
			switch {
			case have == nil || hex.EncodeToString(have.sum[:]) != p.ETag:
				return fmt.Errorf("part %d is not there: %w", p.Number, s3.ErrInvalidInput)
			case i > 0 && p.Number <= in.Parts[i-1].Number:
				return fmt.Errorf("parts out of order: %w", s3.ErrInvalidInput)
			case i < len(in.Parts)-1 && have.size < s.minPart:
				return fmt.Errorf("part %d of %d is too small: %w", p.Number, len(in.Parts), s3.ErrInvalidInput)
			}
			o.data = append(o.data, have.data...)
			o.size += have.size
			h.Write(have.sum[:])
		}
		etag = fmt.Sprintf(`"%x-%d"`, h.Sum(nil), len(in.Parts))
		o.etag = etag
		s.set(u.key, o)
		delete(s.uploads, in.Upload.ID)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &s3.PutOutput{ETag: etag}, nil
}

func (s *fakeStore) ListParts(ctx context.Context, in *s3.ListPartsInput) (out *s3.PartsPage, err error) {
	err = s.do("list parts", in.Upload.Key, func() error {
		if s.uploads[in.Upload.ID] == nil {
			return s3.ErrNotFound
		}
		out = &s3.PartsPage{}
		return nil
	})
	return out, err
}

func (s *fakeStore) AbortUpload(ctx context.Context, id s3.UploadID) error {
	return s.do("abort", id.Key, func() error {
		if s.revive > 0 {
			s.revive--
			return nil
		}
		delete(s.uploads, id.ID)
		return nil
	})
}

func (s *fakeStore) Head(ctx context.Context, in *s3.HeadInput) (info *s3.ObjectInfo, err error) {
	err = s.do("head", in.Key, func() error {
		o := s.objects[in.Key]
		if o == nil {
			return s3.ErrNotFound
		}
		info = &s3.ObjectInfo{Key: in.Key, Size: o.size, ETag: o.etag, Metadata: o.opts.Metadata, LastModified: o.modified}
		return nil
	})
	return info, err
}

func (s *fakeStore) Delete(ctx context.Context, in *s3.DeleteInput) (*s3.DeleteOutput, error) {
	err := s.do("delete", in.Key, func() error {
		delete(s.objects, in.Key)
		return nil
	})
	return &s3.DeleteOutput{}, err
}

// object returns the bytes of key, or nil if it is absent.
func (s *fakeStore) object(key string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.objects[key]; o != nil {
		return append([]byte{}, o.data...)
	}
	return nil
}

// put writes an object like another client.
func (s *fakeStore) put(key string, data []byte) Version {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := md5.Sum(data)
	o := &fakeObject{data: bytes.Clone(data), size: int64(len(data)), etag: `"` + hex.EncodeToString(sum[:]) + `"`}
	s.set(key, o)
	return Version{Key: key, ETag: o.etag, Size: o.size}
}

// count returns the number of calls of op.
func (s *fakeStore) count(op string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, c := range s.calls {
		if c == op {
			n++
		}
	}
	return n
}

func (s *fakeStore) history() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.calls, " ")
}

func (s *fakeStore) hook(before, after func(op, key string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before, s.after = before, after
}

var errGone = errors.New("version is gone")

// fakeReader reads one version while it is the current one.
type fakeReader struct {
	s      *fakeStore
	v      Version
	closed bool
}

func (r *fakeReader) CopyWithin(ctx context.Context, p []byte, off, end int64) (int, error) {
	r.s.mu.Lock()
	r.s.reach = max(r.s.reach, end)
	r.s.mu.Unlock()
	return r.CopyAt(ctx, p, off)
}

func (r *fakeReader) CopyAt(ctx context.Context, p []byte, off int64) (int, error) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	o := r.s.objects[r.v.Key]
	if o == nil || o.etag != r.v.ETag {
		return 0, errGone
	}
	if off >= o.size {
		return 0, io.EOF
	}
	n := copy(p, o.data[off:])
	r.s.read += int64(n)
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (r *fakeReader) Close() { r.closed = true }

// bench is a manager over a fake store.
type bench struct {
	*Manager
	s      *fakeStore
	budget *cache.Budget
	log    *logBuffer
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// tb is the common part of *testing.T, *testing.B and *rapid.T.
type tb interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatal(args ...any)
}

// newBench returns a manager with memory bytes of budget. set changes the options.
func newBench(t tb, dir string, memory int64, set func(*Options)) *bench {
	t.Helper()
	b := &bench{s: newFakeStore(), budget: cache.NewBudget(memory), log: &logBuffer{}}
	o := Defaults()
	o.Bucket = "b"
	o.SpoolDir, o.RecoveryDir, o.StateDir = dir+"/spool", dir+"/recovery", dir+"/state"
	o.ScratchPrefix = "scratch/"
	o.PartSize = s3.MinPartSize
	o.Connections = 4
	o.Logger = slog.New(slog.NewTextHandler(b.log, nil))
	o.OpenBase = func(v Version) BaseReader { return &fakeReader{s: b.s, v: v} }
	if set != nil {
		set(&o)
	}
	m, err := New(b.s, cache.NewPool(b.budget), o)
	if err != nil {
		t.Fatal(err)
	}
	b.Manager = m
	return b
}

// shrink makes parts small, so that tests need few bytes.
func (b *bench) shrink(partSize, minPart int64) {
	b.limits.part, b.limits.min, b.limits.copyMax = partSize, minPart, 4*partSize
	b.s.minPart = minPart
}

// end drains and closes, and checks that every gauge is 0 (I9).
func (b *bench) end(t tb) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := b.Drain(ctx); err != nil {
		t.Errorf("drain: %v", err)
	}
	st := b.Stats()
	if st.Files != 0 || st.Dirty != 0 || st.Memory != 0 || st.Spool != 0 || st.Uploads != 0 || st.InFlight != 0 {
		t.Errorf("I9: %+v at the end", st)
	}
	if n := b.budget.Used(); n != 0 {
		t.Errorf("I9: %d bytes of the budget at the end", n)
	}
	b.s.mu.Lock()
	left := len(b.s.uploads)
	for key := range b.s.objects {
		if strings.HasPrefix(key, "scratch/") {
			t.Errorf("I9: %q is left at the end", key)
		}
	}
	b.s.mu.Unlock()
	if left != 0 {
		t.Errorf("I9: %d uploads neither completed nor aborted", left)
	}
	if err := b.Manager.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// open opens the current version of key.
func (b *bench) openKey(key string) *File {
	b.s.mu.Lock()
	o := b.s.objects[key]
	b.s.mu.Unlock()
	v := Version{Key: key, ETag: o.etag, Size: o.size}
	return b.Open(OpenInput{Key: key, Base: &v, Reader: &fakeReader{s: b.s, v: v}})
}
