package namespace

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/s3"
	"github.com/s3mount/s3mount/s3/s3test"
)

// pendingFile is a pending file whose state does not change.
type pendingFile entry.Entry

func (p pendingFile) PendingEntry() entry.Entry { return entry.Entry(p) }

// fakeStore is a client of an S3 server in memory. It delays and fails
// requests as a test wants, and counts those that the server answered.
type fakeStore struct {
	*s3.Client
	server *s3test.Server
	total  int // requests that the last call of took told of

	mu    sync.Mutex
	clock time.Time // of the server while set works, else the real one
	delay time.Duration
	lag   time.Duration // of the Date in answers to PUT, behind the clock
	fail  func(op, key string) error
}

// newFake starts a server with one bucket. Keys that end in a slash are
// markers, the others hold one byte; all are an hour old.
func newFake(t testing.TB, keys ...string) *fakeStore {
	f := &fakeStore{}
	f.server = s3test.NewServer(t, s3test.Options{InMemory: true, Buckets: []string{"b"}, Now: f.now})
	f.Client = f.server.Client()
	for _, k := range keys {
		body := "x"
		if strings.HasSuffix(k, "/") {
			body = ""
		}
		f.set(k, body, nil, time.Now().Add(-time.Hour))
	}
	return f
}

func (f *fakeStore) now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.clock.IsZero() {
		return time.Now()
	}
	return f.clock
}

// at runs fn while the server's clock shows a time.
func (f *fakeStore) at(when time.Time, fn func()) {
	f.mu.Lock()
	f.clock = when
	f.mu.Unlock()
	fn()
	f.mu.Lock()
	f.clock = time.Time{}
	f.mu.Unlock()
}

// set writes an object as another tool does.
func (f *fakeStore) set(key, body string, meta map[string]string, mod time.Time) {
	f.at(mod, func() { f.server.PutObject("b", key, []byte(body), meta) })
}

func (f *fakeStore) setDelay(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.delay = d
}

// setFail makes requests fail with what fail returns; nil ends that.
func (f *fakeStore) setFail(fail func(op, key string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = fail
}

// begin delays or fails a request.
func (f *fakeStore) begin(op, key string) error {
	f.mu.Lock()
	delay, fail := f.delay, f.fail
	f.mu.Unlock()
	if delay > 0 {
		time.Sleep(delay)
	}
	if fail != nil {
		return fail(op, key)
	}
	return nil
}

// took returns the requests since the last call, as "HEAD 1 LIST 2".
func (f *fakeStore) took() string {
	synctest.Wait() // the server counts a request when its answer is out
	short := map[string]string{
		"HeadObject": "HEAD", "GetObject": "GET", "ListObjectsV2": "LIST", "PutObject": "PUT",
		"CopyObject": "COPY", "DeleteObject": "DELETE", "DeleteObjects": "MULTI",
	}
	var out []string
	for kind, count := range f.server.Requests() {
		name := short[kind]
		if name == "" {
			name = kind
		}
		out = append(out, fmt.Sprintf("%s %d", name, count))
	}
	f.total = f.server.Total()
	f.server.Reset()
	slices.Sort(out)
	return strings.Join(out, " ")
}

func (f *fakeStore) keys() []string { return f.server.Keys("b") }

// files returns the keys without those of the hints.
func (f *fakeStore) files() []string {
	return slices.DeleteFunc(f.keys(), func(k string) bool { return strings.HasPrefix(k, entry.ReservedRel) })
}

// metadata returns the user metadata of an object.
func (f *fakeStore) metadata(key string) map[string]string {
	_, meta, _ := f.server.Object("b", key)
	return maps.Clone(meta)
}

func fakeErr(op, key string, status int, err error) error {
	return &s3.Error{Op: op, Key: key, Status: status, Err: err}
}

func (f *fakeStore) Head(ctx context.Context, in *s3.HeadInput) (*s3.ObjectInfo, error) {
	if err := f.begin("HEAD", in.Key); err != nil {
		return nil, err
	}
	return f.Client.Head(ctx, in)
}

func (f *fakeStore) Get(ctx context.Context, in *s3.GetInput) (*s3.GetOutput, error) {
	if err := f.begin("GET", in.Key); err != nil {
		return nil, err
	}
	return f.Client.Get(ctx, in)
}

func (f *fakeStore) Ls(ctx context.Context, in *s3.LsInput) (*s3.LsPage, error) {
	if err := f.begin("LIST", in.Prefix); err != nil {
		return nil, err
	}
	return f.Client.Ls(ctx, in)
}

func (f *fakeStore) Put(ctx context.Context, in *s3.PutInput) (*s3.PutOutput, error) {
	if err := f.begin("PUT", in.Key); err != nil {
		return nil, err
	}
	out, err := f.Client.Put(ctx, in)
	if err == nil {
		now := f.now()
		f.mu.Lock()
		out.Date = now.Add(-f.lag).Truncate(time.Second)
		f.mu.Unlock()
	}
	return out, err
}

func (f *fakeStore) Copy(ctx context.Context, in *s3.CopyInput) (*s3.CopyOutput, error) {
	if err := f.begin("COPY", in.Key); err != nil {
		return nil, err
	}
	return f.Client.Copy(ctx, in)
}

func (f *fakeStore) Delete(ctx context.Context, in *s3.DeleteInput) (*s3.DeleteOutput, error) {
	if err := f.begin("DELETE", in.Key); err != nil {
		return nil, err
	}
	return f.Client.Delete(ctx, in)
}

func (f *fakeStore) DeleteMulti(ctx context.Context, in *s3.DeleteMultiInput) ([]s3.DeleteResult, error) {
	if err := f.begin("MULTI", ""); err != nil {
		return nil, err
	}
	return f.Client.DeleteMulti(ctx, in)
}
