package s3

import (
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3mount/s3mount/s3/fair"
)

// TestConnectionsServeUsersInTurn sends 300 calls of one user and then one call of another user
// through two connections. The second user waits for one call, not for 300.
func TestConnectionsServeUsersInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const each = time.Second
		c := newFakeClient(t, func(*http.Request) (*http.Response, error) {
			time.Sleep(each)
			return answer(http.StatusOK, "", "Content-Length", "0", "ETag", `"e"`), nil
		}, func(o *Options) { o.Connections, o.Deadline = 2, time.Hour })
		var wg sync.WaitGroup
		call := func(u fair.User) time.Duration {
			start := time.Now()
			if _, err := c.Head(fair.WithUser(t.Context(), u), &HeadInput{Bucket: "bucket", Key: "k"}); err != nil {
				t.Error(err)
			}
			return time.Since(start)
		}
		for range 300 {
			wg.Go(func() { call(1) })
		}
		synctest.Wait()
		if took := call(2); took > 3*each {
			t.Errorf("the second user waited %v", took)
		}
		wg.Wait()
	})
}
