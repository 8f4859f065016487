package s3test_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/s3mount/s3mount/s3"
	"github.com/s3mount/s3mount/s3/s3test"
)

// lacking is a server that lacks something, and a client that finds it out.
type lacking struct {
	t   *testing.T
	srv *s3test.Server
	c   *s3.Client
	log *lines
}

// lines keeps the messages of a log.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) Enabled(_ context.Context, at slog.Level) bool { return at >= slog.LevelWarn }
func (l *lines) WithAttrs([]slog.Attr) slog.Handler            { return l }
func (l *lines) WithGroup(string) slog.Handler                 { return l }
func (l *lines) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, r.Message)
	return nil
}

func newLacking(t *testing.T, o s3test.Options, change ...func(*s3.Options)) *lacking {
	t.Helper()
	o.Buckets = []string{"b"}
	l := &lacking{t: t, srv: s3test.NewServer(t, o), log: &lines{}}
	l.c = l.srv.Client(append(change, func(o *s3.Options) { o.Logger = slog.New(l.log) })...)
	t.Cleanup(l.c.Close)
	return l
}

// put writes an object and returns its ETag.
func (l *lacking) put(key, body string, d ...string) string {
	l.t.Helper()
	etag, err := l.tryPut(key, body, d...)
	if err != nil {
		l.t.Fatalf("put %s: %v", key, err)
	}
	return etag
}

// tryPut writes an object with If-Match and If-None-Match.
func (l *lacking) tryPut(key, body string, d ...string) (string, error) {
	in := &s3.PutInput{Bucket: "b", Key: key, Body: strings.NewReader(body), Size: int64(len(body))}
	if len(d) > 0 {
		in.IfMatch = d[0]
	}
	if len(d) > 1 {
		in.IfNoneMatch = d[1]
	}
	out, err := l.c.Put(l.t.Context(), in)
	if err != nil {
		return "", err
	}
	return out.ETag, nil
}

// holds checks the bytes of an object; "" is an absent one.
func (l *lacking) holds(key, want string) {
	l.t.Helper()
	body, _, ok := l.srv.Object("b", key)
	if ok != (want != "") || string(body) != want {
		l.t.Errorf("%s holds %.40q (%t), want %.40q", key, body, ok, want)
	}
}

// fails checks the kind of an error.
func (l *lacking) fails(what string, err, want error) {
	l.t.Helper()
	if !errors.Is(err, want) {
		l.t.Errorf("%s: %v, want %v", what, err, want)
	}
}

// ok checks that there is no error.
func (l *lacking) ok(what string, err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatalf("%s: %v", what, err)
	}
}

// complete makes an object out of one part.
func (l *lacking) complete(key, body, match, none string) error {
	id, err := l.c.CreateUpload(l.t.Context(), &s3.CreateUploadInput{Bucket: "b", Key: key})
	l.ok("create upload", err)
	part, err := l.c.UploadPart(l.t.Context(), &s3.UploadPartInput{Upload: id, PartNumber: 1, Body: strings.NewReader(body), Size: int64(len(body))})
	l.ok("upload part", err)
	_, err = l.c.CompleteUpload(l.t.Context(), &s3.CompleteUploadInput{Upload: id, Parts: []s3.Part{*part}, IfMatch: match, IfNoneMatch: none})
	if err != nil {
		l.ok("abort", l.c.AbortUpload(l.t.Context(), id))
	}
	return err
}

// copy copies src to dst.
func (l *lacking) copy(src, dst string, change ...func(*s3.CopyInput)) error {
	in := &s3.CopyInput{SrcBucket: "b", SrcKey: src, Bucket: "b", Key: dst, SrcSize: 1}
	for _, f := range change {
		f(in)
	}
	_, err := l.c.Copy(l.t.Context(), in)
	return err
}

const otherETag = `"0123456789abcdef0123456789abcdef"`

// featureUse does what relies on a feature, and checks that it is right also
// without the feature.
var featureUse = map[s3.Feature]func(l *lacking){
	s3.FeaturePutIfMatch: func(l *lacking) {
		etag := l.put("k", "one")
		_, err := l.tryPut("k", "lost", otherETag)
		l.fails("put over another version", err, s3.ErrPreconditionFailed)
		l.holds("k", "one")
		l.put("k", "two", etag)
		l.holds("k", "two")
		_, err = l.tryPut("absent", "lost", etag)
		l.fails("put over nothing", err, s3.ErrNotFound)
	},
	s3.FeaturePutIfNoneMatch: func(l *lacking) {
		l.put("k", "one", "", "*")
		_, err := l.tryPut("k", "lost", "", "*")
		l.fails("create again", err, s3.ErrPreconditionFailed)
		l.holds("k", "one")
	},
	s3.FeatureQuotedETag: func(l *lacking) {
		etag := l.put("k", "one")
		etag = l.put("k", "two", etag)
		_, err := l.tryPut("k", "lost", otherETag)
		l.fails("put over another version", err, s3.ErrPreconditionFailed)
		l.put("k", "three", etag)
		l.holds("k", "three")
	},
	s3.FeatureCompleteIfMatch: func(l *lacking) {
		etag := l.put("k", "one")
		l.fails("complete over another version", l.complete("k", "lost", otherETag, ""), s3.ErrPreconditionFailed)
		l.holds("k", "one")
		l.ok("complete", l.complete("k", "two", etag, ""))
		l.holds("k", "two")
	},
	s3.FeatureCompleteIfNoneMatch: func(l *lacking) {
		l.ok("complete", l.complete("k", "one", "", "*"))
		l.fails("complete over an object", l.complete("k", "lost", "", "*"), s3.ErrPreconditionFailed)
		l.holds("k", "one")
	},
	s3.FeatureDeleteIfMatch: func(l *lacking) {
		etag := l.put("k", "one")
		_, err := l.c.Delete(l.t.Context(), &s3.DeleteInput{Bucket: "b", Key: "k", IfMatch: otherETag})
		l.fails("delete another version", err, s3.ErrPreconditionFailed)
		l.holds("k", "one")
		_, err = l.c.Delete(l.t.Context(), &s3.DeleteInput{Bucket: "b", Key: "k", IfMatch: etag})
		l.ok("delete", err)
		l.holds("k", "")
		_, err = l.c.Delete(l.t.Context(), &s3.DeleteInput{Bucket: "b", Key: "k", IfMatch: etag})
		l.ok("delete what is absent", err)
	},
	s3.FeatureDeleteObjects: func(l *lacking) {
		in := &s3.DeleteMultiInput{Bucket: "b"}
		for i := range 40 {
			key := fmt.Sprintf("k%02d", i)
			l.put(key, "x")
			in.Objects = append(in.Objects, s3.ObjectID{Key: key})
		}
		results, err := l.c.DeleteMulti(l.t.Context(), in)
		l.ok("delete", err)
		for i, r := range results {
			if r.Err != nil || r.Key != in.Objects[i].Key {
				l.t.Errorf("result %d: %+v", i, r)
			}
		}
		l.holds("k39", "")
	},
	s3.FeatureDeleteObjectsETag: func(l *lacking) {
		in := &s3.DeleteMultiInput{Bucket: "b", Objects: []s3.ObjectID{
			{Key: "old", ETag: l.put("old", "old")}, {Key: "newer", ETag: l.put("newer", "old")}, {Key: "any"}}}
		l.put("any", "any")
		l.put("newer", "new") // as another mount does
		results, err := l.c.DeleteMulti(l.t.Context(), in)
		l.ok("delete", err)
		l.ok("old", results[0].Err)
		l.fails("newer", results[1].Err, s3.ErrPreconditionFailed)
		l.ok("any", results[2].Err)
		l.holds("old", "")
		l.holds("newer", "new")
		l.holds("any", "")
	},
	s3.FeatureGetIfMatch: func(l *lacking) {
		etag := l.put("k", "one")
		for range 2 {
			out, err := l.c.Get(l.t.Context(), &s3.GetInput{Bucket: "b", Key: "k", Conditions: s3.Conditions{IfMatch: etag}})
			l.ok("get", err)
			body, err := io.ReadAll(out.Body)
			out.Body.Close()
			if err != nil || string(body) != "one" {
				l.t.Errorf("read %q, %v", body, err)
			}
		}
		_, err := l.c.Get(l.t.Context(), &s3.GetInput{Bucket: "b", Key: "k", Conditions: s3.Conditions{IfMatch: otherETag}})
		l.fails("get another version", err, s3.ErrPreconditionFailed)
	},
	s3.FeatureCopy: func(l *lacking) {
		large := strings.Repeat("0123456789abcdef", 1<<20)
		l.srv.PutObject("b", "small", []byte("small"), map[string]string{"mode": "33188"})
		l.srv.PutObject("b", "large", []byte(large), map[string]string{"mode": "33188"})
		for _, key := range []string{"small", "large"} {
			l.ok("copy "+key, l.copy(key, key+"2"))
			body, meta, _ := l.srv.Object("b", key+"2")
			if from, _, _ := l.srv.Object("b", key); string(body) != string(from) || meta["mode"] != "33188" {
				l.t.Errorf("%s: %d bytes, metadata %v", key, len(body), meta)
			}
			l.fails("copy of another version", l.copy(key, key+"3", func(in *s3.CopyInput) { in.SrcIf.IfMatch = otherETag }), s3.ErrPreconditionFailed)
			l.ok("change the metadata", l.copy(key, key, func(in *s3.CopyInput) {
				in.ReplaceMetadata, in.Metadata, in.IfMatch = true, map[string]string{"mode": "33024"}, l.srv.ETag("b", key)
			}))
			if _, meta, _ := l.srv.Object("b", key); meta["mode"] != "33024" {
				l.t.Errorf("%s: metadata %v", key, meta)
			}
		}
	},
	s3.FeatureCopyIfMatch: func(l *lacking) {
		l.put("src", "src")
		etag := l.put("k", "one")
		l.fails("copy over another version", l.copy("src", "k", func(in *s3.CopyInput) { in.IfMatch = otherETag }), s3.ErrPreconditionFailed)
		l.holds("k", "one")
		l.ok("copy", l.copy("src", "k", func(in *s3.CopyInput) { in.IfMatch = etag }))
		l.holds("k", "src")
	},
	s3.FeatureCopyIfNoneMatch: func(l *lacking) {
		l.put("src", "src")
		l.put("k", "one")
		l.fails("copy over an object", l.copy("src", "k", func(in *s3.CopyInput) { in.IfNoneMatch = "*" }), s3.ErrPreconditionFailed)
		l.holds("k", "one")
		l.ok("copy", l.copy("src", "new", func(in *s3.CopyInput) { in.IfNoneMatch = "*" }))
		l.holds("new", "src")
	},
	s3.FeatureCopySourceIf: func(l *lacking) {
		etag := l.put("src", "src")
		l.put("k", "one")
		l.fails("copy of another version", l.copy("src", "k", func(in *s3.CopyInput) { in.SrcIf.IfMatch = otherETag }), s3.ErrPreconditionFailed)
		l.holds("k", "one")
		l.ok("copy", l.copy("src", "k", func(in *s3.CopyInput) { in.SrcIf.IfMatch = etag }))
		l.holds("k", "src")
	},
	s3.FeaturePartCopy:         partCopies,
	s3.FeaturePartCopySourceIf: partCopies,
	s3.FeatureChecksumMode: func(l *lacking) {
		l.put("k", "one")
		for range 2 {
			_, err := l.c.Head(l.t.Context(), &s3.HeadInput{Bucket: "b", Key: "k"})
			l.ok("head", err)
			out, err := l.c.Get(l.t.Context(), &s3.GetInput{Bucket: "b", Key: "k"})
			l.ok("get", err)
			out.Body.Close()
		}
	},
	s3.FeatureListV2:    listAll,
	s3.FeatureListToken: listAll,
	s3.FeatureHeadAbsent: func(l *lacking) {
		l.put("k", "one")
		_, err := l.c.Head(l.t.Context(), &s3.HeadInput{Bucket: "b", Key: "absent"})
		l.fails("head of an absent object", err, s3.ErrNotFound)
		_, err = l.c.Head(l.t.Context(), &s3.HeadInput{Bucket: "b", Key: "k"})
		l.ok("head", err)
	},
}

// partCopies makes an object out of parts of another.
func partCopies(l *lacking) {
	large := strings.Repeat("0123456789abcdef", 1<<20)
	l.srv.PutObject("b", "src", []byte(large), nil)
	id, err := l.c.CreateUpload(l.t.Context(), &s3.CreateUploadInput{Bucket: "b", Key: "k"})
	l.ok("create", err)
	in := &s3.CopyPartInput{Upload: id, PartNumber: 1, SrcBucket: "b", SrcKey: "src", First: 1, Last: 10 << 20, SrcIf: s3.Conditions{IfMatch: otherETag}}
	_, err = l.c.CopyPart(l.t.Context(), in)
	l.fails("copy of another version", err, s3.ErrPreconditionFailed)
	in.SrcIf.IfMatch = l.srv.ETag("b", "src")
	one, err := l.c.CopyPart(l.t.Context(), in)
	l.ok("copy", err)
	in.PartNumber, in.First, in.Last = 2, 0, 9
	two, err := l.c.CopyPart(l.t.Context(), in)
	l.ok("copy", err)
	_, err = l.c.CompleteUpload(l.t.Context(), &s3.CompleteUploadInput{Upload: id, Parts: []s3.Part{*one, *two}})
	l.ok("complete", err)
	l.holds("k", large[1:10<<20+1]+large[:10])
}

// listAll lists a bucket page by page.
func listAll(l *lacking) {
	var want []string
	for i := range 25 {
		key := fmt.Sprintf("d%d/k", i/2)
		if i%2 == 1 {
			key = fmt.Sprintf("k%02d", i)
		}
		l.put(key, "x")
		want = append(want, key)
	}
	slices.Sort(want)
	var got, rows []string
	for e, err := range l.c.LsAll(l.t.Context(), &s3.LsInput{Bucket: "b", MaxKeys: 3}) {
		l.ok("list", err)
		got = append(got, e.Key)
	}
	if !slices.Equal(got, want) {
		l.t.Errorf("listed %q", got)
	}
	for e, err := range l.c.LsAll(l.t.Context(), &s3.LsInput{Bucket: "b", MaxKeys: 2, Delimiter: "/"}) {
		l.ok("list", err)
		rows = append(rows, e.Key)
	}
	if len(rows) != 25 || !slices.IsSorted(rows) || rows[0] != "d0/" {
		l.t.Errorf("rows %q", rows)
	}
}

// TestFeatures does what relies on each feature, on servers that have it,
// ignore it and refuse it, with and without probes.
func TestFeatures(t *testing.T) {
	probing := func(o *s3.Options) { o.ProbePrefix = ".s3mount/" }
	for x := s3.Feature(0); x.String() != "unknown"; x++ {
		use := featureUse[x]
		if use == nil {
			t.Errorf("no test uses %s", x)
			continue
		}
		for _, support := range []s3.Support{s3.SupportYes, s3.SupportIgnored, s3.SupportRefused} {
			if !possible(x, support) {
				continue
			}
			refusals := []s3test.Refusal{{}}
			if support == s3.SupportRefused {
				refusals = append(refusals, s3test.Refusal{Status: 400, Code: "InvalidArgument"})
			}
			for _, refusal := range refusals {
				name := fmt.Sprintf("%s/%s%d", x, support, refusal.Status)
				t.Run(name+"/probe", func(t *testing.T) {
					l := newLacking(t, s3test.Options{Support: map[s3.Feature]s3.Support{x: support}, Refusal: refusal, MinPartSize: 1}, probing)
					use(l)
					l.reported(x, support)
				})
				if support == s3.SupportIgnored && !learnsWithoutProbe(x) {
					continue
				}
				t.Run(name+"/refusal", func(t *testing.T) {
					l := newLacking(t, s3test.Options{Support: map[s3.Feature]s3.Support{x: support}, Refusal: refusal, MinPartSize: 1})
					use(l)
					l.reported(x, support)
				})
			}
		}
	}
}

// possible reports whether there are servers that do this with a feature.
func possible(x s3.Feature, s s3.Support) bool {
	switch x {
	case s3.FeatureQuotedETag, s3.FeatureCopy, s3.FeaturePartCopy, s3.FeatureDeleteObjects, s3.FeatureChecksumMode, s3.FeatureGetIfMatch, s3.FeatureHeadAbsent:
		return s != s3.SupportIgnored
	}
	return true
}

// learnsWithoutProbe names the features that can be missed without a probe.
func learnsWithoutProbe(x s3.Feature) bool {
	return x == s3.FeatureListV2 || x == s3.FeatureListToken
}

// reported checks that the client knows what the server lacks, and said so once.
func (l *lacking) reported(x s3.Feature, s s3.Support) {
	l.t.Helper()
	known := l.c.Features("b")[x]
	if s != s3.SupportYes && x != s3.FeatureListToken && !known.Missing() {
		l.t.Errorf("the client takes %s for %s", x, known.Support)
	}
	if s == s3.SupportYes && known.Missing() {
		l.t.Errorf("the client takes %s for %s", x, known.Support)
	}
	l.log.mu.Lock()
	defer l.log.mu.Unlock()
	said := map[string]int{}
	for _, line := range l.log.all {
		said[line]++
	}
	for line, n := range said {
		if n > 1 {
			l.t.Errorf("said %d times: %s", n, line)
		}
	}
	if known.Missing() && said[known.String()] != 1 {
		l.t.Errorf("it does not say %q", known)
	}
	if left := slices.DeleteFunc(l.srv.Keys("b"), func(key string) bool { return !strings.HasPrefix(key, ".s3mount/") }); len(left) > 0 {
		l.t.Errorf("the probe left %q", left)
	}
}

// TestAWSCostsNoRequest holds that conditional requests cost one request each
// where the server is known to be S3, also those that fail.
func TestAWSCostsNoRequest(t *testing.T) {
	l := newLacking(t, s3test.Options{}, func(o *s3.Options) { o.Server, o.ProbePrefix = "aws", ".s3mount/" })
	etag := l.put("k", "one", "", "*")
	_, err := l.tryPut("k", "lost", "", "*")
	l.fails("create again", err, s3.ErrPreconditionFailed)
	_, err = l.tryPut("k", "lost", otherETag)
	l.fails("put over another version", err, s3.ErrPreconditionFailed)
	etag = l.put("k", "two", etag)
	_, err = l.c.Get(t.Context(), &s3.GetInput{Bucket: "b", Key: "k", Conditions: s3.Conditions{IfMatch: otherETag}})
	l.fails("get another version", err, s3.ErrPreconditionFailed)
	l.ok("copy", l.copy("k", "k2", func(in *s3.CopyInput) { in.SrcIf.IfMatch, in.IfNoneMatch = etag, "*" }))
	l.fails("copy", l.copy("k", "k2", func(in *s3.CopyInput) { in.SrcIf.IfMatch = otherETag }), s3.ErrPreconditionFailed)
	results, err := l.c.DeleteMulti(t.Context(), &s3.DeleteMultiInput{Bucket: "b", Objects: []s3.ObjectID{{Key: "k", ETag: etag}, {Key: "k2", ETag: otherETag}}})
	l.ok("delete", err)
	l.fails("delete another version", results[1].Err, s3.ErrPreconditionFailed)
	_, err = l.c.Delete(t.Context(), &s3.DeleteInput{Bucket: "b", Key: "k2", IfMatch: etag})
	l.ok("delete", err)
	want := map[string]int{"PutObject": 4, "GetObject": 1, "CopyObject": 2, "DeleteObjects": 1, "DeleteObject": 1}
	if got := l.srv.Requests(); !maps.Equal(got, want) {
		t.Errorf("requests %v, want %v", got, want)
	}
}

// TestWeakETags reads and writes behind a proxy that makes ETags weak.
func TestWeakETags(t *testing.T) {
	l := newLacking(t, s3test.Options{WeakETags: true})
	put := l.put("k", "one")
	info, err := l.c.Head(t.Context(), &s3.HeadInput{Bucket: "b", Key: "k"})
	l.ok("head", err)
	if info.ETag != put {
		t.Errorf("HEAD shows %s, PUT %s", info.ETag, put)
	}
	_, err = l.c.Get(t.Context(), &s3.GetInput{Bucket: "b", Key: "k", Conditions: s3.Conditions{IfMatch: info.ETag}})
	l.ok("get", err)
	l.put("k", "two", info.ETag)
	l.holds("k", "two")
}

// TestXMLRoots talks to a server whose documents have another root element.
func TestXMLRoots(t *testing.T) {
	l := newLacking(t, s3test.Options{XMLRoot: "Answer", MinPartSize: 1})
	for _, x := range []s3.Feature{s3.FeatureListV2, s3.FeatureCompleteIfMatch, s3.FeatureDeleteObjectsETag, s3.FeaturePartCopy, s3.FeatureCopyIfMatch} {
		use := featureUse[x]
		use(l)
	}
	_, err := l.c.Get(t.Context(), &s3.GetInput{Bucket: "b", Key: "absent"})
	l.fails("get", err, s3.ErrNotFound)
}
