package fs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/s3mount/s3mount/s3"
)

// gatePatience is how long a write waits for the bodies of GETs of its key, which
// arrive at the speed of the network. Afterwards it cancels them, and their readers
// repeat them after the write.
const gatePatience = 5 * time.Second

// keyGate is a store that keeps GETs and writes of one key apart. Some servers lock a
// key during both, so that each would wait for the other. Requests for different keys
// do not wait for each other, and neither do two GETs or two writes.
type keyGate struct {
	store
	patience time.Duration

	mu   sync.Mutex
	keys map[string]*gatedKey // keys with requests
}

// gatedKey is the state of the requests for one key.
type gatedKey struct {
	readers map[*gatedBody]struct{}
	writers int           // waiting or in progress
	waiting int           // GETs that wait for the writers
	changed chan struct{} // closed and replaced when a reader or writer ends
}

var errGateClosed = errors.New("the object is being written by this mount")

func newKeyGate(s store) *keyGate {
	return &keyGate{store: s, patience: gatePatience, keys: map[string]*gatedKey{}}
}

// entry returns the state of a key. g.mu is held.
func (g *keyGate) entry(key string) *gatedKey {
	k := g.keys[key]
	if k == nil {
		k = &gatedKey{readers: map[*gatedBody]struct{}{}, changed: make(chan struct{})}
		g.keys[key] = k
	}
	return k
}

// wake wakes the requests that wait for the key, and removes an unused key. g.mu is
// held.
func (g *keyGate) wake(key string, k *gatedKey) {
	close(k.changed)
	k.changed = make(chan struct{})
	if len(k.readers)+k.writers+k.waiting == 0 {
		delete(g.keys, key)
	}
}

// Get opens an object when no request writes it.
func (g *keyGate) Get(ctx context.Context, in *s3.GetInput) (*s3.GetOutput, error) {
	body := &gatedBody{g: g, key: in.Key}
	body.ctx, body.cancel = context.WithCancelCause(ctx)
	if err := g.startGet(ctx, body); err != nil {
		body.cancel(nil)
		return nil, fmt.Errorf("wait to read %q: %w", in.Key, err)
	}
	out, err := g.store.Get(body.ctx, in)
	if err != nil {
		body.end()
		if errors.Is(err, errGateClosed) && ctx.Err() == nil {
			return g.Get(ctx, in) // a write cancelled it; the next GET waits for the write
		}
		return nil, err
	}
	body.src = out.Body
	out.Body = body
	return out, nil
}

func (g *keyGate) startGet(ctx context.Context, body *gatedBody) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	k := g.entry(body.key)
	for k.writers > 0 {
		changed := k.changed
		k.waiting++
		g.mu.Unlock()
		var err error
		select {
		case <-changed:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		g.mu.Lock()
		k.waiting--
		if err != nil {
			g.wake(body.key, k)
			return err
		}
	}
	k.readers[body] = struct{}{}
	return nil
}

// write calls request, which writes key, when no GET of the key is open.
func (g *keyGate) write(ctx context.Context, key string, request func() error) error {
	if err := g.startWrite(ctx, key); err != nil {
		return fmt.Errorf("wait to write %q: %w", key, err)
	}
	defer g.endWrite(key)
	return request()
}

func (g *keyGate) startWrite(ctx context.Context, key string) error {
	g.mu.Lock()
	k := g.entry(key)
	k.writers++
	g.mu.Unlock()
	patience := time.NewTimer(g.patience)
	defer patience.Stop()
	for {
		g.mu.Lock()
		free, changed := len(k.readers) == 0, k.changed
		g.mu.Unlock()
		if free {
			return nil
		}
		select {
		case <-changed:
		case <-patience.C:
			g.cut(key, k)
		case <-ctx.Done():
			g.endWrite(key)
			return context.Cause(ctx)
		}
	}
}

// cut cancels the GETs of a key. The transport closes their connections, even while
// their bodies are read.
func (g *keyGate) cut(key string, k *gatedKey) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for body := range k.readers {
		body.cancel(errGateClosed)
		delete(k.readers, body)
	}
	g.wake(key, k)
}

func (g *keyGate) endWrite(key string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	k := g.keys[key]
	k.writers--
	g.wake(key, k)
}

// Put implements store.
func (g *keyGate) Put(ctx context.Context, in *s3.PutInput) (out *s3.PutOutput, err error) {
	err = g.write(ctx, in.Key, func() error {
		out, err = g.store.Put(ctx, in)
		return err
	})
	return out, err
}

// CompleteUpload implements store.
func (g *keyGate) CompleteUpload(ctx context.Context, in *s3.CompleteUploadInput) (out *s3.PutOutput, err error) {
	err = g.write(ctx, in.Upload.Key, func() error {
		out, err = g.store.CompleteUpload(ctx, in)
		return err
	})
	return out, err
}

// Copy implements store.
func (g *keyGate) Copy(ctx context.Context, in *s3.CopyInput) (out *s3.CopyOutput, err error) {
	err = g.write(ctx, in.Key, func() error {
		out, err = g.store.Copy(ctx, in)
		return err
	})
	return out, err
}

// gatedBody is the body of a GET. The GET is open until the body is closed or read to
// its end.
type gatedBody struct {
	g      *keyGate
	key    string
	ctx    context.Context
	cancel context.CancelCauseFunc
	src    io.ReadCloser
	once   sync.Once
}

// Read implements io.Reader. If a write cancels the GET, Read returns
// io.ErrUnexpectedEOF, like after a broken connection.
func (b *gatedBody) Read(p []byte) (int, error) {
	n, err := b.src.Read(p)
	if err == nil {
		return n, nil
	}
	b.end()
	if err != io.EOF && errors.Is(context.Cause(b.ctx), errGateClosed) {
		err = fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, errGateClosed)
	}
	return n, err
}

// Close implements io.Closer.
func (b *gatedBody) Close() error {
	err := b.src.Close()
	b.end()
	return err
}

// end removes the GET from its key.
func (b *gatedBody) end() {
	b.once.Do(func() {
		if b.src != nil {
			_ = b.src.Close() // the data have arrived or are not needed
		}
		b.cancel(nil)
		b.g.mu.Lock()
		defer b.g.mu.Unlock()
		if k := b.g.keys[b.key]; k != nil {
			delete(k.readers, b)
			b.g.wake(b.key, k)
		}
	})
}
