package s3test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/s3mount/s3mount/s3"
)

// testErrors is the row Errors.
func testErrors(e *env) {
	e.run("not found", errorsNotFound)
	e.run("no such bucket", errorsNoSuchBucket)
	e.run("context", errorsContext)
	e.run("network", func(e *env) {
		// Port 1 of the loopback interface: nobody listens there.
		c, err := s3.New(s3.Options{Endpoint: "http://127.0.0.1:1", MaxAttempts: 1})
		e.ok("client", err)
		defer c.Close()
		_, err = c.Head(e.ctx, &s3.HeadInput{Bucket: "bucket", Key: "k"})
		e.fails("head", err, s3.ErrTransient)
		if op := new(net.OpError); !errors.As(err, &op) {
			e.Errorf("the network error below is out of reach: %v", err)
		}
	})
	e.run("unknown", func(e *env) {
		f := NewFaults(Rule{Fault: Answer(400, "SomethingNew")})
		e.with(func(o *s3.Options) { o.Transport = chain(o.Transport, f) })
		_, err := e.c.Get(e.ctx, &s3.GetInput{Bucket: e.bucket, Key: "k"})
		typed := new(s3.Error)
		if !errors.As(err, &typed) || typed.Code != "SomethingNew" || typed.Status != 400 || typed.Message == "" {
			e.Errorf("err = %#v", err)
		}
		if f.Seen() != 1 {
			e.Errorf("%d requests", f.Seen())
		}
	})
}

// errorsNotFound checks all fields of errors about absent keys.
func errorsNotFound(e *env) {
	_, getErr := e.c.Get(e.ctx, &s3.GetInput{Bucket: e.bucket, Key: "absent/ü"})
	_, headErr := e.c.Head(e.ctx, &s3.HeadInput{Bucket: e.bucket, Key: "absent/ü"})
	_, _, intoErr := e.c.GetInto(e.ctx, &s3.GetInput{Bucket: e.bucket, Key: "absent/ü"}, nil)
	_, _, toErr := e.c.GetTo(e.ctx, &s3.GetInput{Bucket: e.bucket, Key: "absent/ü"}, io.Discard)
	for op, err := range map[string]error{"GetObject": getErr, "HeadObject": headErr} {
		typed := e.fails(op, err, s3.ErrNotFound)
		if typed.Op != op || typed.Bucket != e.bucket || typed.Key != "absent/ü" || typed.Status != 404 {
			e.Errorf("%s: %#v", op, typed)
		}
		if errors.Is(err, s3.ErrForbidden) || errors.Is(err, s3.ErrTransient) || errors.Is(err, s3.ErrPreconditionFailed) {
			e.Errorf("%s: is more than not found: %v", op, err)
		}
	}
	e.fails("GetInto", intoErr, s3.ErrNotFound)
	e.fails("GetTo", toErr, s3.ErrNotFound)
	if typed := new(s3.Error); errors.As(getErr, &typed) && typed.Code != "NoSuchKey" {
		e.Errorf("code = %q", typed.Code)
	}
}

// errorsNoSuchBucket asks for a bucket that nobody has.
func errorsNoSuchBucket(e *env) {
	e.need(ErrorCodes)
	absent := e.bucket + "-absent"
	_, getErr := e.c.Get(e.ctx, &s3.GetInput{Bucket: absent, Key: "k"})
	_, putErr := e.c.Put(e.ctx, &s3.PutInput{Bucket: absent, Key: "k", Body: strings.NewReader("x"), Size: 1})
	_, lsErr := e.c.Ls(e.ctx, &s3.LsInput{Bucket: absent})
	_, createErr := e.c.CreateUpload(e.ctx, &s3.CreateUploadInput{Bucket: absent, Key: "k"})
	for name, err := range map[string]error{"get": getErr, "put": putErr, "ls": lsErr, "create": createErr} {
		e.fails(name, err, s3.ErrNoSuchBucket)
		e.fails(name, err, s3.ErrNotFound)
	}
	_, err := e.c.HeadBucket(e.ctx, absent)
	e.fails("head bucket", err, s3.ErrNotFound)
}

// errorsContext checks that a context ends a call, and that the error says so.
func errorsContext(e *env) {
	e.put("k", "x")
	ctx, cancel := context.WithCancel(e.ctx)
	cancel()
	_, err := e.c.Get(ctx, &s3.GetInput{Bucket: e.bucket, Key: "k"})
	if !errors.Is(err, context.Canceled) {
		e.Errorf("get: %v", err)
	}
	_, err = e.c.Put(ctx, e.putInput("k", []byte("y")))
	if !errors.Is(err, context.Canceled) {
		e.Errorf("put: %v", err)
	}
	for _, err := range e.c.LsAll(ctx, &s3.LsInput{Bucket: e.bucket}) {
		if !errors.Is(err, context.Canceled) {
			e.Errorf("ls: %v", err)
		}
	}
	e.holds("k", "x")
}
