package s3

import (
	"bytes"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// slowSource takes an hour for every piece, like a reader of a tape or of a terminal.
type slowSource struct {
	*bytes.Reader
	reads int
}

func (s *slowSource) Read(p []byte) (int, error) {
	if s.Len() > 0 {
		s.reads++
		time.Sleep(time.Hour)
	}
	return s.Reader.Read(p[:min(len(p), 100_000)])
}

// slowWriterTo is one that writes itself.
type slowWriterTo struct{ *slowSource }

// WriteTo implements io.WriterTo.
func (s slowWriterTo) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(struct{ io.Writer }{w}, struct{ io.Reader }{s.slowSource})
}

// The time that the caller's reader takes does not count as time of the network.
func TestSlowBodyIsNoStall(t *testing.T) {
	content := testBytes(300_000)
	for name, body := range map[string]func() io.Reader{
		"reader":    func() io.Reader { return struct{ io.Reader }{&slowSource{Reader: bytes.NewReader(content)}} },
		"writer to": func() io.Reader { return slowWriterTo{&slowSource{Reader: bytes.NewReader(content)}} },
	} {
		for _, state := range []int32{checksumOff, checksumTrailer} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var got []byte
					c, _ := newPipeClient(t, func(w http.ResponseWriter, r *http.Request) {
						got, _ = io.ReadAll(r.Body)
						w.Header().Set("ETag", `"1"`)
					})
					c.integrity.state.Store(state)
					_, err := c.Put(t.Context(), &PutInput{Bucket: "bucket", Key: "k", Body: body(), Size: int64(len(content))})
					noError(t, err)
					if !bytes.Contains(got, content) {
						t.Errorf("the server got %d bytes", len(got))
					}
				})
			})
		}
	}
}

// The watchdog notices a server that accepts no data while a slow body is sent.
func TestStallOfASlowBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		over := make(chan struct{})
		c, _ := newPipeClient(t, func(w http.ResponseWriter, r *http.Request) {
			io.ReadFull(r.Body, make([]byte, 150_000))
			<-over
		}, func(o *Options) { o.MaxAttempts = 1 })
		t.Cleanup(func() { close(over) })
		start := time.Now()
		source := &slowSource{Reader: bytes.NewReader(make([]byte, 1<<20))}
		_, err := c.Put(t.Context(), &PutInput{Bucket: "bucket", Key: "k", Body: struct{ io.Reader }{source}, Size: 1 << 20})
		wantIs(t, err, ErrTransient, errStalled)
		if d := time.Since(start) - time.Duration(source.reads)*time.Hour; d < 0 || d > 2*c.opts.StallTimeout {
			t.Errorf("noticed %v after the last of %d reads", d, source.reads)
		}
	})
}
