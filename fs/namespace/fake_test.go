package namespace

import (
	"context"
	"crypto/md5"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/s3mount/s3mount/s3"
)

// fakeStore is an S3 in memory, without the wire, so that tests can run in a
// synctest bubble. It counts requests by kind.
type fakeStore struct {
	mu      sync.Mutex
	objects map[string]fakeObject
	counts  map[string]int
	log     []string
	delay   time.Duration
	fail    func(op, key string) error
}

type fakeObject struct {
	body []byte
	info s3.ObjectInfo
}

func newFake(keys ...string) *fakeStore {
	f := &fakeStore{objects: map[string]fakeObject{}, counts: map[string]int{}}
	for _, k := range keys {
		body := "x"
		if strings.HasSuffix(k, "/") {
			body = ""
		}
		f.set(k, body, nil, time.Now().Add(-time.Hour))
	}
	return f
}

func (f *fakeStore) set(key, body string, meta map[string]string, mod time.Time) s3.ObjectInfo {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.setLocked(key, body, s3.ObjectOptions{Metadata: meta}, mod)
}

func (f *fakeStore) setLocked(key, body string, o s3.ObjectOptions, mod time.Time) s3.ObjectInfo {
	info := s3.ObjectInfo{
		Key: key, Size: int64(len(body)), ETag: fmt.Sprintf("%q", fmt.Sprintf("%x", md5.Sum([]byte(body)))),
		LastModified: mod.Truncate(time.Second), Metadata: maps.Clone(o.Metadata), ContentType: o.ContentType,
	}
	f.objects[key] = fakeObject{body: []byte(body), info: info}
	return info
}

// begin counts a request and delays or fails it as the test wants.
func (f *fakeStore) begin(op, key string) error {
	f.mu.Lock()
	f.counts[op]++
	f.log = append(f.log, op+" "+key)
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
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for _, op := range slices.Sorted(maps.Keys(f.counts)) {
		out = append(out, fmt.Sprintf("%s %d", op, f.counts[op]))
	}
	f.counts, f.log = map[string]int{}, nil
	return strings.Join(out, " ")
}

func (f *fakeStore) keys() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(maps.Keys(f.objects))
}

// files returns the keys without those of the hints.
func (f *fakeStore) files() []string {
	return slices.DeleteFunc(f.keys(), func(k string) bool { return strings.HasPrefix(k, reservedDir) })
}

func fakeErr(op, key string, status int, err error) error {
	return &s3.Error{Op: op, Key: key, Status: status, Err: err}
}

func (f *fakeStore) Head(_ context.Context, in *s3.HeadInput) (*s3.ObjectInfo, error) {
	if err := f.begin("HEAD", in.Key); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	o, ok := f.objects[in.Key]
	if !ok {
		return nil, fakeErr("HEAD", in.Key, 404, s3.ErrNotFound)
	}
	info := o.info
	return &info, nil
}

func (f *fakeStore) Get(_ context.Context, in *s3.GetInput) (*s3.GetOutput, error) {
	if err := f.begin("GET", in.Key); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	o, ok := f.objects[in.Key]
	if !ok {
		return nil, fakeErr("GET", in.Key, 404, s3.ErrNotFound)
	}
	return &s3.GetOutput{
		ObjectInfo: o.info, Length: o.info.Size, Body: io.NopCloser(strings.NewReader(string(o.body))),
	}, nil
}

func (f *fakeStore) Ls(_ context.Context, in *s3.LsInput) (*s3.LsPage, error) {
	if err := f.begin("LIST", in.Prefix); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	after := in.StartAfter
	if in.ContinuationToken != "" {
		after = strings.TrimPrefix(in.ContinuationToken, "after:")
	}
	limit := in.MaxKeys
	if limit == 0 || limit > s3.MaxListKeys {
		limit = s3.MaxListKeys
	}
	page := &s3.LsPage{}
	last, count := "", 0
	for _, k := range slices.Sorted(maps.Keys(f.objects)) {
		if !strings.HasPrefix(k, in.Prefix) || k <= after {
			continue
		}
		row := k
		if in.Delimiter != "" {
			if i := strings.Index(k[len(in.Prefix):], in.Delimiter); i >= 0 {
				row = k[:len(in.Prefix)+i+1]
			}
		}
		isPrefix := row != k || in.Delimiter != "" && strings.HasSuffix(row, "/") && row != in.Prefix
		if isPrefix && (row == last || strings.HasPrefix(after, row)) {
			continue
		}
		if count == limit {
			page.NextToken = "after:" + last
			break
		}
		count++
		last = row
		if isPrefix {
			page.CommonPrefixes = append(page.CommonPrefixes, row)
			continue
		}
		o := f.objects[k].info
		page.Objects = append(page.Objects, s3.ListedObject{Key: k, Size: o.Size, ETag: o.ETag, LastModified: o.LastModified})
	}
	return page, nil
}

func (f *fakeStore) Put(_ context.Context, in *s3.PutInput) (*s3.PutOutput, error) {
	if err := f.begin("PUT", in.Key); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(in.Body)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	old, exists := f.objects[in.Key]
	if in.IfNoneMatch == "*" && exists || in.IfMatch != "" && (!exists || old.info.ETag != in.IfMatch) {
		return nil, fakeErr("PUT", in.Key, 412, s3.ErrPreconditionFailed)
	}
	info := f.setLocked(in.Key, string(body), in.ObjectOptions, time.Now())
	return &s3.PutOutput{ETag: info.ETag, Date: info.LastModified}, nil
}

func (f *fakeStore) Copy(_ context.Context, in *s3.CopyInput) (*s3.CopyOutput, error) {
	if err := f.begin("COPY", in.Key); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	src, ok := f.objects[in.SrcKey]
	if !ok {
		return nil, fakeErr("COPY", in.SrcKey, 404, s3.ErrNotFound)
	}
	_, exists := f.objects[in.Key]
	if in.SrcIfMatch != "" && in.SrcIfMatch != src.info.ETag || in.IfNoneMatch == "*" && exists {
		return nil, fakeErr("COPY", in.Key, 412, s3.ErrPreconditionFailed)
	}
	o := s3.ObjectOptions{Metadata: src.info.Metadata, ContentType: src.info.ContentType}
	if in.ReplaceMetadata {
		o = in.ObjectOptions
	}
	info := f.setLocked(in.Key, string(src.body), o, time.Now())
	return &s3.CopyOutput{ETag: info.ETag, LastModified: info.LastModified}, nil
}

func (f *fakeStore) Delete(_ context.Context, in *s3.DeleteInput) (*s3.DeleteOutput, error) {
	if err := f.begin("DELETE", in.Key); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if o, ok := f.objects[in.Key]; ok && in.IfMatch != "" && o.info.ETag != in.IfMatch {
		return nil, fakeErr("DELETE", in.Key, 412, s3.ErrPreconditionFailed)
	}
	delete(f.objects, in.Key)
	return &s3.DeleteOutput{}, nil
}

func (f *fakeStore) DeleteMulti(_ context.Context, in *s3.DeleteMultiInput) ([]s3.DeleteResult, error) {
	if err := f.begin("MULTI", fmt.Sprint(len(in.Objects))); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []s3.DeleteResult
	for _, id := range in.Objects {
		r := s3.DeleteResult{Key: id.Key}
		if o, ok := f.objects[id.Key]; ok && id.ETag != "" && o.info.ETag != id.ETag {
			r.Err = fakeErr("DELETE", id.Key, 412, s3.ErrPreconditionFailed)
		} else {
			delete(f.objects, id.Key)
		}
		out = append(out, r)
	}
	return out, nil
}
