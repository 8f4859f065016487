package s3test

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // an S3 ETag is an MD5
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/s3mount/s3mount/s3"
)

// RunOption changes what Run does.
type RunOption func(*suite)

// Without disables a feature that the server lacks. The reason is printed.
func Without(f Feature, reason string) RunOption {
	return func(s *suite) { s.lacks[f] = reason }
}

// Configure provides the options of a client and a bucket for rows that create their
// own clients, with faults between client and server, other credentials, or other
// checksums. These rows are skipped without it.
func Configure(f func(t *testing.T) (o s3.Options, bucket string)) RunOption {
	return func(s *suite) { s.configure = f }
}

// Rows limits the run to these rows.
func Rows(names ...string) RunOption { return func(s *suite) { s.only = names } }

// suite is one run of the conformance suite.
type suite struct {
	newClient func(t *testing.T) (*s3.Client, string)
	configure func(t *testing.T) (s3.Options, string)
	lacks     map[Feature]string
	only      []string // rows; nil is all
	// streamSize is the length of the long stream in bytes.
	streamSize int64
}

// Run runs the conformance suite on a client and a server: bytes, ETags, metadata,
// order, pages, conditions, kinds of errors, retries and limits. newClient returns a
// client and a new empty bucket. It is called for every row of the suite.
func Run(t *testing.T, newClient func(t *testing.T) (client *s3.Client, bucket string), opts ...RunOption) {
	s := &suite{newClient: newClient, lacks: map[Feature]string{}, streamSize: defaultStream}
	for _, o := range opts {
		o(s)
	}
	for _, row := range s.rows() {
		if s.only != nil && !slices.Contains(s.only, row.name) {
			continue
		}
		t.Run(row.name, func(t *testing.T) { row.test(s.env(t)) })
	}
}

// suiteRow is one row of the table.
type suiteRow struct {
	name string
	test func(*env)
}

func (s *suite) rows() []suiteRow {
	return []suiteRow{
		{"Put", testPut},
		{"Get", testGet},
		{"Head", testHead},
		{"Delete", testDelete},
		{"DeleteMulti", testDeleteMulti},
		{"Ls", testLs},
		{"Keys", testKeys},
		{"Stream", testStream},
		{"Multipart", testMultipart},
		{"Copy", testCopy},
		{"Conditions", testConditions},
		{"Versions", testVersions},
		{"Errors", testErrors},
		{"Input", testInput},
		{"Credentials", testCredentials},
		{"Region", testRegion},
		{"Connections", testConnections},
		{"Integrity", testIntegrity},
		{"Retry", testRetry},
		{"Presign", testPresign},
		{"RequesterPays", testRequesterPays},
		{"Features", testFeatures},
	}
}

// env contains the resources of a row.
type env struct {
	*testing.T
	suite  *suite
	ctx    context.Context
	c      *s3.Client
	bucket string
}

// rowTimeout bounds a row: a hang is a failure that names its row.
const rowTimeout = 3 * time.Minute

func (s *suite) env(t *testing.T) *env {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), rowTimeout)
	t.Cleanup(cancel)
	e := &env{T: t, suite: s, ctx: ctx}
	e.c, e.bucket = s.newClient(t)
	return e
}

// run runs a subtest with the row's client and bucket.
func (e *env) run(name string, f func(*env)) {
	e.Helper()
	e.T.Run(name, func(t *testing.T) {
		sub := *e
		sub.T = t
		f(&sub)
	})
}

// need skips the test if the server lacks a feature.
func (e *env) need(features ...Feature) {
	e.Helper()
	for _, f := range features {
		if reason, lacks := e.suite.lacks[f]; lacks {
			e.Skipf("the server lacks %s: %s", f, reason)
		}
	}
}

// has reports whether the server has a feature.
func (e *env) has(f Feature) bool {
	_, lacks := e.suite.lacks[f]
	return !lacks
}

// with makes a client of the same kind of server with changed options; its
// bucket becomes e's. It skips the test if the caller of Run gave no options.
func (e *env) with(change func(*s3.Options)) {
	e.Helper()
	if e.suite.configure == nil {
		e.Skip("the options of a client are not known: s3test.Configure gives them")
	}
	o, bucket := e.suite.configure(e.T)
	change(&o)
	c, err := s3.New(o)
	if err != nil {
		e.Fatalf("client: %v", err)
	}
	e.Cleanup(c.Close)
	e.c, e.bucket = c, bucket
}

// putInput is a PUT of body.
func (e *env) putInput(key string, body []byte) *s3.PutInput {
	return &s3.PutInput{Bucket: e.bucket, Key: key, Body: bytes.NewReader(body), Size: int64(len(body))}
}

// put stores an object and returns its ETag.
func (e *env) put(key, body string) string {
	e.Helper()
	out, err := e.c.Put(e.ctx, e.putInput(key, []byte(body)))
	if err != nil {
		e.Fatalf("put %q: %v", key, err)
	}
	return out.ETag
}

// get reads a whole object.
func (e *env) get(key string) string {
	e.Helper()
	var b bytes.Buffer
	if _, _, err := e.c.GetTo(e.ctx, &s3.GetInput{Bucket: e.bucket, Key: key}, &b); err != nil {
		e.Fatalf("get %q: %v", key, err)
	}
	return b.String()
}

// holds checks that an object has these bytes.
func (e *env) holds(key, want string) {
	e.Helper()
	if got := e.get(key); got != want {
		e.Errorf("%q holds %s, want %s", key, brief(got), brief(want))
	}
}

// absent checks that there is no object.
func (e *env) absent(key string) {
	e.Helper()
	if _, err := e.c.Head(e.ctx, &s3.HeadInput{Bucket: e.bucket, Key: key}); !errors.Is(err, s3.ErrNotFound) {
		e.Errorf("head of absent %q: %v", key, err)
	}
}

// fails checks that err has this kind and is an *s3.Error that names the operation.
func (e *env) fails(what string, err, kind error) *s3.Error {
	e.Helper()
	var typed *s3.Error
	switch {
	case err == nil:
		e.Errorf("%s: no error, want %v", what, kind)
	case !errors.Is(err, kind):
		e.Errorf("%s: %v, want %v", what, err, kind)
	case !errors.As(err, &typed):
		e.Errorf("%s: %T is no *s3.Error", what, err)
	case typed.Op == "" || typed.Error() == "":
		e.Errorf("%s: the error does not say which operation failed: %#v", what, typed)
	}
	if typed == nil {
		typed = &s3.Error{}
	}
	return typed
}

// ok checks that there is no error.
func (e *env) ok(what string, err error) {
	e.Helper()
	if err != nil {
		e.Fatalf("%s: %v", what, err)
	}
}

// quotedMD5 is the ETag of a plain PUT.
func quotedMD5(body string) string {
	sum := md5.Sum([]byte(body)) //nolint:gosec // an S3 ETag is an MD5
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

// brief shows a body in a message.
func brief(s string) string {
	if len(s) <= 40 {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprintf("%d bytes with MD5 %s", len(s), quotedMD5(s))
}

// pattern is n bytes that differ from one 251-byte period to the next, so that bytes out of place show.
func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i%251) ^ byte(i/251*31)
	}
	return p
}
