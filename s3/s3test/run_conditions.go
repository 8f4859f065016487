package s3test

import (
	"errors"
	"sync"

	"github.com/s3mount/s3mount/s3"
)

// testConditions holds that no write is lost: the conditions of PUT and DELETE, also among many writers.
func testConditions(e *env) {
	e.run("put", conditionalPut)
	e.run("delete", conditionalDelete)
	e.run("one winner", oneWinner)
	e.run("counter", conditionalCounter)
}

// conditionalPut writes only over the right version.
func conditionalPut(e *env) {
	e.need(ConditionalPut)
	try := func(match, none, body string) (string, error) {
		in := e.putInput("cond", []byte(body))
		in.IfMatch, in.IfNoneMatch = match, none
		out, err := e.c.Put(e.ctx, in)
		if err != nil {
			return "", err
		}
		return out.ETag, nil
	}
	_, err := try(quotedMD5("x"), "", "lost")
	if !errors.Is(err, s3.ErrNotFound) && !errors.Is(err, s3.ErrPreconditionFailed) {
		e.Errorf("If-Match over nothing: %v", err)
	}
	e.absent("cond")
	first, err := try("", "*", "first")
	e.ok("create", err)
	_, err = try("", "*", "lost")
	e.fails("create again", err, s3.ErrPreconditionFailed)
	second, err := try(first, "", "second")
	e.ok("replace this version", err)
	_, err = try(first, "", "lost")
	e.fails("replace a version that is gone", err, s3.ErrPreconditionFailed)
	e.holds("cond", "second")
	_, err = try(second, "", string(pattern(2<<20)))
	e.ok("replace by a larger body", err)
	_, err = try(second, "", string(pattern(3<<20)))
	e.fails("replace by a larger body again", err, s3.ErrPreconditionFailed)
	e.holds("cond", string(pattern(2<<20)))
}

// conditionalDelete deletes only the right version.
func conditionalDelete(e *env) {
	e.need(ConditionalDelete)
	etag := e.put("doomed", "bytes")
	_, err := e.c.Delete(e.ctx, &s3.DeleteInput{Bucket: e.bucket, Key: "doomed", IfMatch: quotedMD5("other")})
	e.fails("delete another version", err, s3.ErrPreconditionFailed)
	e.holds("doomed", "bytes")
	_, err = e.c.Delete(e.ctx, &s3.DeleteInput{Bucket: e.bucket, Key: "doomed", IfMatch: etag})
	e.ok("delete this version", err)
	e.absent("doomed")
}

// oneWinner lets many create the same object: one may.
func oneWinner(e *env) {
	e.need(ConditionalPut)
	const writers = 8
	errs := make([]error, writers)
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			in := e.putInput("winner", []byte{byte('0' + i)})
			in.IfNoneMatch = "*"
			_, errs[i] = e.c.Put(e.ctx, in)
		})
	}
	wg.Wait()
	won := 0
	for i, err := range errs {
		switch {
		case err == nil:
			won++
			e.holds("winner", string([]byte{byte('0' + i)}))
		case !errors.Is(err, s3.ErrPreconditionFailed) && !errors.Is(err, s3.ErrConflict):
			e.Errorf("writer %d: %v", i, err)
		}
	}
	if won != 1 {
		e.Errorf("%d writers won", won)
	}
}

// conditionalCounter counts up by read, add, conditional write from several sides.
func conditionalCounter(e *env) {
	e.need(ConditionalPut)
	const writers, rounds = 4, 5
	e.put("counter", "")
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for done := 0; done < rounds && e.ctx.Err() == nil; {
				if e.increment("counter") {
					done++
				}
			}
		})
	}
	wg.Wait()
	if got := len(e.get("counter")); got != writers*rounds {
		e.Errorf("counted to %d, want %d", got, writers*rounds)
	}
}

// increment appends one byte; false is that another was quicker.
func (e *env) increment(key string) bool {
	p := make([]byte, 100)
	out, n, err := e.c.GetInto(e.ctx, &s3.GetInput{Bucket: e.bucket, Key: key}, p)
	if err != nil {
		e.Errorf("get: %v", err)
		return true
	}
	in := e.putInput(key, append(p[:n], '+'))
	in.IfMatch = out.ETag
	_, err = e.c.Put(e.ctx, in)
	if errors.Is(err, s3.ErrPreconditionFailed) || errors.Is(err, s3.ErrConflict) {
		return false
	}
	if err != nil {
		e.Errorf("put: %v", err)
	}
	return true
}

// testVersions tests versions of objects.
func testVersions(e *env) {
	e.need(Versioning)
	one, err := e.c.Put(e.ctx, e.putInput("v", []byte("one")))
	e.ok("put", err)
	two, err := e.c.Put(e.ctx, e.putInput("v", []byte("two")))
	e.ok("put", err)
	if one.VersionID == "" || two.VersionID == "" || one.VersionID == two.VersionID {
		e.Fatalf("versions = %q, %q", one.VersionID, two.VersionID)
	}
	for id, want := range map[string]string{one.VersionID: "one", two.VersionID: "two", "": "two"} {
		p := make([]byte, 10)
		out, n, err := e.c.GetInto(e.ctx, &s3.GetInput{Bucket: e.bucket, Key: "v", VersionID: id}, p)
		if err != nil || string(p[:n]) != want || id != "" && out.VersionID != id {
			e.Errorf("version %q = %q %v", id, p[:n], err)
		}
		info, err := e.c.Head(e.ctx, &s3.HeadInput{Bucket: e.bucket, Key: "v", VersionID: id})
		if err != nil || info.ETag != quotedMD5(want) {
			e.Errorf("head of version %q = %+v %v", id, info, err)
		}
	}
	copied, err := e.c.Copy(e.ctx, &s3.CopyInput{
		SrcBucket: e.bucket, SrcKey: "v", SrcVersionID: one.VersionID, Bucket: e.bucket, Key: "copy",
	})
	e.ok("copy of a version", err)
	if copied.VersionID == "" {
		e.Error("the copy has no version")
	}
	e.holds("copy", "one")
	e.deleteVersions(one.VersionID, two.VersionID)
}

// deleteVersions deletes v by a delete marker and brings it back, and then for good.
func (e *env) deleteVersions(one, two string) {
	e.Helper()
	del, err := e.c.Delete(e.ctx, &s3.DeleteInput{Bucket: e.bucket, Key: "v"})
	e.ok("delete", err)
	if !del.DeleteMarker || del.VersionID == "" {
		e.Errorf("delete = %+v", del)
	}
	e.absent("v")
	if got, err := e.rows(s3.LsInput{Bucket: e.bucket, Prefix: "v"}); err != nil || len(got) != 0 {
		e.Errorf("ls of a deleted key = %q %v", got, err)
	}
	_, err = e.c.Delete(e.ctx, &s3.DeleteInput{Bucket: e.bucket, Key: "v", VersionID: del.VersionID})
	e.ok("delete the marker", err)
	e.holds("v", "two")
	results, err := e.c.DeleteMulti(e.ctx, &s3.DeleteMultiInput{Bucket: e.bucket, Objects: []s3.ObjectID{
		{Key: "v", VersionID: two}, {Key: "v", VersionID: one}, {Key: "copy"},
	}})
	e.ok("delete versions", err)
	for i, r := range results {
		if r.Err != nil {
			e.Errorf("result %d: %v", i, r.Err)
		}
	}
	if results[0].VersionID != two || !results[2].DeleteMarker || results[2].DeleteMarkerVersionID == "" {
		e.Errorf("results = %+v", results)
	}
	e.absent("v")
	_, err = e.c.Head(e.ctx, &s3.HeadInput{Bucket: e.bucket, Key: "v", VersionID: one})
	e.fails("head of a version that is gone", err, s3.ErrNotFound)
}
