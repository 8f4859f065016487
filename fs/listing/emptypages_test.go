package listing

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3mount/s3mount/fs/background"
	"github.com/s3mount/s3mount/s3"
)

// endless answers every LIST with an empty page and a new token.
type endless struct {
	pages atomic.Int64
}

func (e *endless) Ls(ctx context.Context, _ *s3.LsInput) (*s3.LsPage, error) {
	select {
	case <-time.After(20 * time.Millisecond):
		return &s3.LsPage{NextToken: fmt.Sprint(e.pages.Add(1))}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// A listing that consists of empty pages goes on only while somebody waits.
func TestEmptyPagesEndWithTheirCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &endless{}
		jobs := background.NewGroup()
		f := NewFetcher(store, NewCache(testOptions()), jobs)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := f.Fetch(ctx, Stretch{Dir: "d/", Delimited: true}); err == nil {
			t.Error("an endless listing has an end")
		}
		synctest.Wait()
		time.Sleep(time.Second) // of the bubble
		before := store.pages.Load()
		time.Sleep(time.Minute)
		if after := store.pages.Load(); after != before {
			t.Errorf("%d pages were asked for after the caller had gone", after-before)
		}
		jobs.Close()
	})
}
