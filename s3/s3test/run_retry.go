package s3test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/s3mount/s3mount/s3"
)

// testRetry is the row Retry, and the resumed bodies of the row Get.
func testRetry(e *env) {
	e.run("every request fails once", retryEverything)
	e.run("resumed body", retryBody)
	e.run("changed under a broken body", retryChanged)
	e.run("stall", retryStall)
	e.run("lost answers", retryLost)
	e.run("gives up", retryGivesUp)
	e.run("not for refusals", retryRefusals)
	e.run("Retry-After", func(e *env) {
		f := NewFaults(Rule{Fault: SlowDown(time.Second)})
		e.with(func(o *s3.Options) { o.Transport = chain(o.Transport, f) })
		start := time.Now()
		e.put("k", "x")
		if took := time.Since(start); took < time.Second {
			e.Errorf("the retry came after %v", took)
		}
	})
	e.run("cancelled", retryCancelled)
	e.run("body that cannot be sent again", func(e *env) {
		f := NewFaults(Rule{Fault: LoseAnswer()})
		e.with(func(o *s3.Options) { o.Transport = chain(o.Transport, f) })
		body := string(pattern(100_000))
		_, err := e.c.Put(e.ctx, &s3.PutInput{
			Bucket: e.bucket, Key: "k", Body: io.MultiReader(strings.NewReader(body)), Size: int64(len(body)),
		})
		if err != nil {
			e.fails("put", err, s3.ErrTransient)
		}
		e.holds("k", body) // the answer was lost, not the object; in no case is it cut short
	})
}

// retryEverything runs a scenario again and again, each time with another of
// its requests failing in another way; the scenario never notices.
func retryEverything(e *env) {
	for name, fault := range map[string]Fault{
		"reset":          Fail(nil),
		"EOF":            Fail(io.EOF),
		"503":            SlowDown(0),
		"500":            InternalError(),
		"502 from HTML":  {Status: 502, Code: "BadGateway"},
		"429":            Answer(429, "TooManyRequests"),
		"403 throttled":  Answer(403, "SlowDown"),
		"RequestTimeout": Answer(400, "RequestTimeout"),
		"truncated":      CutAnswer(1, Truncate),
		"reset answer":   CutAnswer(3, Reset),
		"reset request":  CutRequest(2, Reset),
	} {
		e.T.Run(name, func(t *testing.T) {
			t.Parallel()
			for n := 1; ; n++ {
				sub := *e
				sub.T = t
				f := NewFaults(Rule{Nth: n, Fault: fault, Match: func(r *http.Request) bool {
					// An answer to HEAD has no body that could say what 400 or 403 means.
					return r.Method != http.MethodHead || fault.Status/100 != 4 || fault.Status == 429
				}})
				sub.with(func(o *s3.Options) { o.Transport = chain(o.Transport, f) })
				if err := scenario(&sub, fmt.Sprintf("%s/%d/", strings.ReplaceAll(name, " ", "-"), n)); err != nil {
					t.Errorf("with request %d failing: %v", n, err)
				}
				if f.Struck() == 0 {
					return
				}
				if n > 100 {
					t.Fatal("the scenario does not end")
				}
			}
		})
	}
}

// scenario makes one call of each kind that may be repeated, and checks what comes of it.
func scenario(e *env, prefix string) error {
	key, other := prefix+"key", prefix+"other"
	body := pattern(3000)
	if _, err := e.c.Put(e.ctx, e.putInput(key, body)); err != nil {
		return err
	}
	p := make([]byte, 5000)
	_, n, err := e.c.GetInto(e.ctx, &s3.GetInput{Bucket: e.bucket, Key: key}, p)
	if err != nil || !bytes.Equal(p[:n], body) {
		return fmt.Errorf("got %d bytes: %w", n, err)
	}
	if info, err := e.c.Head(e.ctx, &s3.HeadInput{Bucket: e.bucket, Key: key}); err != nil || info.Size != 3000 {
		return fmt.Errorf("head: %+v: %w", info, err)
	}
	if _, err := e.c.Copy(e.ctx, &s3.CopyInput{
		SrcBucket: e.bucket, SrcKey: key, SrcSize: 3000, Bucket: e.bucket, Key: other,
	}); err != nil {
		return err
	}
	if err := scenarioUpload(e, prefix+"upload", body); err != nil {
		return err
	}
	rows, err := e.rows(s3.LsInput{Bucket: e.bucket, Prefix: prefix})
	if want := []string{key, other, prefix + "upload"}; err != nil || fmt.Sprint(rows) != fmt.Sprint(want) {
		return fmt.Errorf("ls = %q: %w", rows, err)
	}
	if _, err := e.c.Delete(e.ctx, &s3.DeleteInput{Bucket: e.bucket, Key: key}); err != nil {
		return err
	}
	results, err := e.c.DeleteMulti(e.ctx, &s3.DeleteMultiInput{
		Bucket: e.bucket, Objects: []s3.ObjectID{{Key: other}, {Key: prefix + "upload"}},
	})
	if err != nil || results[0].Err != nil || results[1].Err != nil {
		return fmt.Errorf("delete = %+v: %w", results, err)
	}
	if rows, err := e.rows(s3.LsInput{Bucket: e.bucket, Prefix: prefix}); err != nil || len(rows) != 0 {
		return fmt.Errorf("left %q: %w", rows, err)
	}
	return nil
}

// scenarioUpload is the multipart upload of the scenario.
func scenarioUpload(e *env, key string, body []byte) error {
	if !e.has(MultipartETag) { // by which a lost answer is made good
		_, err := e.c.Put(e.ctx, e.putInput(key, body))
		return err
	}
	id, err := e.c.CreateUpload(e.ctx, &s3.CreateUploadInput{Bucket: e.bucket, Key: key})
	if err != nil {
		return err
	}
	p, err := e.c.UploadPart(e.ctx, &s3.UploadPartInput{
		Upload: id, PartNumber: 1, Body: bytes.NewReader(body), Size: int64(len(body)),
	})
	if err != nil {
		return err
	}
	if page, err := e.c.ListParts(e.ctx, &s3.ListPartsInput{Upload: id}); err != nil || len(page.Parts) != 1 {
		return fmt.Errorf("parts = %+v: %w", page, err)
	}
	_, err = e.c.CompleteUpload(e.ctx, &s3.CompleteUploadInput{Upload: id, Parts: []s3.Part{*p}})
	return err
}

// retryBody breaks a body at many points: it goes on where it broke.
func retryBody(e *env) {
	f := &Faults{}
	e.with(func(o *s3.Options) { o.Transport = chain(o.Transport, f) })
	const size = 1 << 20
	body := pattern(size)
	e.put("k", string(body))
	for _, at := range []int64{0, 1, 1000, size / 2, size - 1} {
		for _, how := range []End{Truncate, Reset} {
			f.Clear()
			f.Add(Rule{Fault: CutAnswer(at, how)}, Rule{Nth: 2, Fault: CutAnswer(10, how)})
			p := make([]byte, size)
			_, n, err := e.c.GetInto(e.ctx, &s3.GetInput{Bucket: e.bucket, Key: "k"}, p)
			if err != nil || !bytes.Equal(p[:n], body) {
				e.Errorf("cut at %d: %d bytes, %v", at, n, err)
			}
			if f.Seen() < 2 {
				e.Errorf("cut at %d: %d requests", at, f.Seen())
			}
		}
	}
	f.Clear()
	f.Add(Rule{Fault: CutAnswer(100, Reset)})
	p := make([]byte, 2000)
	out, n, err := e.c.GetInto(e.ctx, &s3.GetInput{Bucket: e.bucket, Key: "k", Range: s3.Bytes(5000, 6999)}, p)
	if err != nil || n != 2000 || !bytes.Equal(p, body[5000:7000]) || out.Offset != 5000 || out.Size != size {
		e.Errorf("range: %d bytes, %v", n, err)
	}
}

// retryChanged overwrites the object while a body of it is broken: the reader
// gets an error, and never bytes of both.
func retryChanged(e *env) {
	e.need(ConditionalGet)
	f := NewFaults(Rule{Match: OnKind("GetObject"), Fault: CutAnswer(1000, Reset)})
	e.with(func(o *s3.Options) { o.Transport = chain(o.Transport, f) })
	e.put("k", strings.Repeat("old ", 1<<18))
	out, err := e.c.Get(e.ctx, &s3.GetInput{Bucket: e.bucket, Key: "k"})
	e.ok("get", err)
	defer out.Body.Close()
	e.put("k", strings.Repeat("new ", 1<<18))
	got, err := io.ReadAll(out.Body)
	if bytes.Contains(got, []byte("new")) {
		e.Error("the body is a blend of two versions")
	}
	if e.has(Versioning) && err == nil && len(got) == 4<<18 {
		return // the old version is still there to be read
	}
	e.fails("read", err, s3.ErrPreconditionFailed)
}

// retryStall stops a transfer: it is cut and done again.
func retryStall(e *env) {
	f := &Faults{}
	e.with(func(o *s3.Options) {
		o.Transport = chain(o.Transport, f)
		o.StallTimeout, o.ResponseTimeout = time.Second, time.Second // twelve times the delays of a busy machine
	})
	body := string(pattern(100_000))
	f.Add(Rule{Match: OnKind("PutObject"), Fault: CutRequest(1000, Stall)})
	e.put("k", body)
	f.Add(Rule{Match: OnKind("GetObject"), Fault: CutAnswer(1000, Stall)})
	e.holds("k", body)
	if f.Struck() != 2 {
		e.Errorf("%d transfers stalled", f.Struck())
	}
}

// retryLost loses the answers of requests that cannot be made twice.
func retryLost(e *env) {
	f := &Faults{}
	e.with(func(o *s3.Options) { o.Transport = chain(o.Transport, f) })
	e.run("complete", func(e *env) {
		e.need(MultipartETag, ErrorCodes)
		id := e.create("upload")
		p := e.part(id, 1, []byte("bytes"))
		f.Clear()
		f.Add(Rule{Match: OnKind("CompleteMultipartUpload"), Fault: LoseAnswer()})
		e.complete(id, p)
		e.holds("upload", "bytes")
	})
	e.run("create", func(e *env) {
		e.need(ConditionalPut)
		f.Clear()
		f.Add(Rule{Match: OnKind("PutObject"), Fault: LoseAnswer()})
		in := e.putInput("created", []byte("mine"))
		in.IfNoneMatch = "*"
		_, err := e.c.Put(e.ctx, in)
		e.ok("put", err)
		e.holds("created", "mine")
	})
	e.run("replace", func(e *env) {
		e.need(ConditionalPut)
		etag := e.put("replaced", "old")
		f.Clear()
		f.Add(Rule{Match: OnKind("PutObject"), Fault: LoseAnswer()})
		in := e.putInput("replaced", []byte("mine"))
		in.IfMatch = etag
		_, err := e.c.Put(e.ctx, in)
		e.ok("put", err)
		e.holds("replaced", "mine")
	})
	e.run("delete", func(e *env) {
		e.need(ConditionalDelete)
		etag := e.put("deleted", "old")
		f.Clear()
		f.Add(Rule{Match: OnKind("DeleteObject"), Fault: LoseAnswer()})
		_, err := e.c.Delete(e.ctx, &s3.DeleteInput{Bucket: e.bucket, Key: "deleted", IfMatch: etag})
		e.ok("delete", err)
		e.absent("deleted")
	})
	e.run("copy", func(e *env) {
		e.need(ConditionalCopyTarget)
		e.put("source", "bytes")
		f.Clear()
		f.Add(Rule{Match: OnKind("CopyObject"), Fault: LoseAnswer()})
		_, err := e.c.Copy(e.ctx, &s3.CopyInput{SrcBucket: e.bucket, SrcKey: "source", SrcSize: 5, Bucket: e.bucket, Key: "copied", IfNoneMatch: "*"})
		e.ok("copy", err)
		e.holds("copied", "bytes")
	})
	e.run("error inside a 200", func(e *env) {
		e.put("src", "bytes")
		f.Clear()
		f.Add(Rule{Match: OnKind("CopyObject"), Fault: ErrorInside("InternalError")},
			Rule{Match: OnKind("CompleteMultipartUpload"), Fault: Answer(200, "InternalError")})
		_, err := e.c.Copy(e.ctx, &s3.CopyInput{SrcBucket: e.bucket, SrcKey: "src", SrcSize: 5, Bucket: e.bucket, Key: "dst"})
		e.ok("copy", err)
		e.holds("dst", "bytes")
		id := e.create("upload2")
		e.complete(id, e.part(id, 1, []byte("bytes")))
		e.holds("upload2", "bytes")
		if f.Struck() != 2 {
			e.Errorf("%d answers were errors", f.Struck())
		}
	})
}

// retryGivesUp ends after MaxAttempts.
func retryGivesUp(e *env) {
	f := NewFaults(Rule{Times: -1, Fault: InternalError()})
	e.with(func(o *s3.Options) {
		o.Transport = chain(o.Transport, f)
		o.MaxAttempts = 3
	})
	_, err := e.c.Head(e.ctx, &s3.HeadInput{Bucket: e.bucket, Key: "k"})
	typed := e.fails("head", err, s3.ErrTransient)
	if !errors.Is(err, s3.ErrDeadline) || typed.Status != 500 || f.Seen() != 3 {
		e.Errorf("after %d requests: %v", f.Seen(), err)
	}
	if errors.Is(err, s3.ErrNotFound) {
		e.Error("a failure is taken for an absent key")
	}
}

// retryRefusals makes one request where another would be answered the same.
func retryRefusals(e *env) {
	f := &Faults{}
	e.with(func(o *s3.Options) { o.Transport = chain(o.Transport, f) })
	for _, c := range []struct {
		status int
		code   string
		want   error
	}{
		{403, "AccessDenied", s3.ErrForbidden},
		{404, "NoSuchKey", s3.ErrNotFound},
		{412, "PreconditionFailed", s3.ErrPreconditionFailed},
		{400, "ExpiredToken", s3.ErrExpiredCredentials},
		{501, "NotImplemented", s3.ErrNotImplemented},
	} {
		f.Clear()
		f.Add(Rule{Times: -1, Fault: Answer(c.status, c.code)})
		_, err := e.c.Get(e.ctx, &s3.GetInput{Bucket: e.bucket, Key: "k"})
		typed := e.fails(c.code, err, c.want)
		most := 1
		if c.want == s3.ErrExpiredCredentials {
			most = 2 // the credentials are asked for anew once
		}
		if c.want == s3.ErrNotImplemented {
			most = 2 // the second one does not ask for a checksum
		}
		if typed.Code != c.code || f.Seen() > most {
			e.Errorf("%s: %d requests, %v", c.code, f.Seen(), err)
		}
	}
}

// retryCancelled ends a call that waits, for a retry or for bytes, at once.
func retryCancelled(e *env) {
	f := &Faults{}
	e.with(func(o *s3.Options) { o.Transport = chain(o.Transport, f) })
	e.put("k", string(pattern(10_000)))
	cause := errors.New("interrupted")
	for name, fault := range map[string]Fault{
		"while it waits to try again": SlowDown(time.Minute / 2),
		"while the answer is late":    Delay(time.Minute),
		"while the body stalls":       CutAnswer(100, Stall),
	} {
		f.Clear()
		f.Add(Rule{Times: -1, Fault: fault})
		ctx, cancel := context.WithCancelCause(e.ctx)
		timer := time.AfterFunc(50*time.Millisecond, func() { cancel(cause) })
		start := time.Now()
		_, _, err := e.c.GetTo(ctx, &s3.GetInput{Bucket: e.bucket, Key: "k"}, io.Discard)
		timer.Stop()
		cancel(nil)
		if err == nil || !errors.Is(err, cause) && !errors.Is(err, context.Canceled) {
			e.Errorf("%s: %v", name, err)
		}
		if took := time.Since(start); took > 5*time.Second {
			e.Errorf("%s: it took %v", name, took)
		}
	}
}
