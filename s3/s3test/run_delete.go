package s3test

import (
	"errors"
	"fmt"

	"github.com/s3mount/s3mount/s3"
)

// testDelete is the row Delete.
func testDelete(e *env) {
	e.put("one", "1")
	e.put("two", "2")
	_, err := e.c.Delete(e.ctx, &s3.DeleteInput{Bucket: e.bucket, Key: "one"})
	e.ok("delete", err)
	e.absent("one")
	e.holds("two", "2")
	for _, key := range []string{"one", "never/was"} {
		_, err = e.c.Delete(e.ctx, &s3.DeleteInput{Bucket: e.bucket, Key: key})
		e.ok("delete of an absent key", err)
	}
	e.put("dir/", "")
	e.put("dir/file", "x")
	_, err = e.c.Delete(e.ctx, &s3.DeleteInput{Bucket: e.bucket, Key: "dir/"})
	e.ok("delete of a marker", err)
	e.holds("dir/file", "x")
}

// testDeleteMulti is the row DeleteMulti.
func testDeleteMulti(e *env) {
	e.run("some", deleteSome)
	e.run("more than one request holds", deleteMany)
	e.run("conditions", func(e *env) {
		e.need(ConditionalDeleteMulti)
		etag := e.put("same", "same")
		e.put("changed", "changed")
		results, err := e.c.DeleteMulti(e.ctx, &s3.DeleteMultiInput{Bucket: e.bucket, Objects: []s3.ObjectID{
			{Key: "same", ETag: etag}, {Key: "changed", ETag: etag},
		}})
		e.ok("delete", err)
		if results[0].Err != nil || !errors.Is(results[1].Err, s3.ErrPreconditionFailed) {
			e.Errorf("results = %+v", results)
		}
		e.absent("same")
		e.holds("changed", "changed")
	})
	e.run("none", func(e *env) {
		results, err := e.c.DeleteMulti(e.ctx, &s3.DeleteMultiInput{Bucket: e.bucket})
		if err != nil || len(results) != 0 {
			e.Errorf("results = %v, %v", results, err)
		}
	})
}

// deleteSome deletes keys that XML must escape, and one that is absent.
func deleteSome(e *env) {
	keys := []string{"plain", "a b", "<&>\"'", "ü/日本", "plus+percent%41", "two\nlines", "tab\t"}
	if !e.has(ControlKeys) {
		keys = keys[:5]
	}
	objects := []s3.ObjectID{{Key: "absent"}}
	for _, k := range keys {
		e.put(k, k)
		objects = append(objects, s3.ObjectID{Key: k})
	}
	e.put("kept", "kept")
	results, err := e.c.DeleteMulti(e.ctx, &s3.DeleteMultiInput{Bucket: e.bucket, Objects: objects})
	e.ok("delete", err)
	if len(results) != len(objects) {
		e.Fatalf("%d results for %d objects", len(results), len(objects))
	}
	for i, r := range results {
		if r.Key != objects[i].Key || r.Err != nil {
			e.Errorf("result %d = %q %v, want %q", i, r.Key, r.Err, objects[i].Key)
		}
	}
	for _, k := range keys {
		e.absent(k)
	}
	e.holds("kept", "kept")
}

// deleteMany deletes more than one DeleteObjects takes.
func deleteMany(e *env) {
	const n = s3.MaxListKeys + 5
	e.put("many/kept", "")
	e.put(fmt.Sprintf("many/%d", n-1), "")
	objects := make([]s3.ObjectID, n) // all but two are absent: that counts as deleted
	for i := range objects {
		objects[i].Key = fmt.Sprintf("many/%d", i)
	}
	results, err := e.c.DeleteMulti(e.ctx, &s3.DeleteMultiInput{Bucket: e.bucket, Objects: objects})
	e.ok("delete", err)
	if len(results) != n {
		e.Fatalf("%d results for %d objects", len(results), n)
	}
	for i, r := range results {
		if r.Key != objects[i].Key || r.Err != nil {
			e.Fatalf("result %d = %q %v", i, r.Key, r.Err)
		}
	}
	e.absent(objects[n-1].Key)
	e.holds("many/kept", "")
}
