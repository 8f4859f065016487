package s3

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// memoryStore is a FeatureStore.
type memoryStore struct {
	mu    sync.Mutex
	found map[string]map[Feature]Finding
	err   error
}

func (s *memoryStore) LoadFeatures(bucket string) (all []Finding, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.found[bucket] {
		all = append(all, one)
	}
	return all, s.err
}

func (s *memoryStore) SaveFeatures(bucket string, found []Finding) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.found == nil {
		s.found = map[string]map[Feature]Finding{}
	}
	if s.found[bucket] == nil {
		s.found[bucket] = map[Feature]Finding{}
	}
	for _, one := range found {
		s.found[bucket][one.Feature] = one
	}
	return s.err
}

// ignoring answers as a server does that ignores all conditions, and counts
// the requests for objects of probes and for others.
func ignoring(probes, others *atomic.Int64) roundTrip {
	return func(r *http.Request) (*http.Response, error) {
		if strings.Contains(r.URL.Path, "/.s3mount/probe-") {
			probes.Add(1)
		} else {
			others.Add(1)
		}
		return answer(200, "", "ETag", `"etag"`), nil
	}
}

func condPut(t *testing.T, c *Client, bucket string) error {
	t.Helper()
	_, err := c.Put(t.Context(), &PutInput{Bucket: bucket, Key: "k", Body: strings.NewReader("x"), Size: 1, IfMatch: `"etag"`})
	return err
}

func TestFindingsAreKeptSharedAndExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memoryStore{}
		var probes, others atomic.Int64
		client := func() *Client {
			return newFakeClient(t, ignoring(&probes, &others), func(o *Options) { o.ProbePrefix, o.FeatureStore = ".s3mount/", store })
		}
		one := client()
		noError(t, condPut(t, one, "bucket"))
		first := probes.Load()
		if first == 0 || others.Load() != 2 { // HEAD and PUT
			t.Errorf("%d requests of the probe, %d others", first, others.Load())
		}
		noError(t, condPut(t, one, "bucket"))
		noError(t, condPut(t, client(), "bucket")) // of another mount
		if n := probes.Load(); n != first {
			t.Errorf("%d more requests of probes", n-first)
		}
		noError(t, condPut(t, one, "other"))
		if n := probes.Load(); n != 2*first {
			t.Errorf("another bucket made %d requests of probes", n-first)
		}
		time.Sleep(featureTTL + time.Hour)
		noError(t, condPut(t, one, "bucket"))
		noError(t, condPut(t, client(), "bucket"))
		if n := probes.Load(); n != 3*first {
			t.Errorf("after a week, %d requests of probes", n-2*first)
		}
	})
}

func TestOneProbeForAllWriters(t *testing.T) {
	var probes, others atomic.Int64
	c := newFakeClient(t, ignoring(&probes, &others), func(o *Options) { o.ProbePrefix = ".s3mount/" })
	noError(t, condPut(t, c, "single"))
	one := probes.Load()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := condPut(t, c, "many"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := probes.Load() - one; n != one {
		t.Errorf("20 writers made %d requests of probes, one makes %d", n, one)
	}
}

// A client that may not write below the prefix compares ETags itself.
func TestProbeThatIsDenied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		probes, heads := 0, 0
		etag := `"etag"`
		c := newFakeClient(t, func(r *http.Request) (*http.Response, error) {
			switch {
			case strings.Contains(r.URL.Path, "/.s3mount/"):
				probes++
				return answer(403, errorBody("AccessDenied")), nil
			case r.Method == http.MethodHead:
				heads++
			}
			return answer(200, "", "ETag", etag), nil
		}, func(o *Options) { o.ProbePrefix = ".s3mount/" })
		noError(t, condPut(t, c, "bucket"))
		noError(t, condPut(t, c, "bucket"))
		if heads != 2 || probes != 1 {
			t.Errorf("%d HEADs, %d requests of probes", heads, probes)
		}
		etag = `"new"`
		wantIs(t, condPut(t, c, "bucket"), ErrPreconditionFailed)
		time.Sleep(2 * probePause)
		_ = condPut(t, c, "bucket")
		if probes != 2 {
			t.Errorf("after the pause, %d requests of probes", probes)
		}
	})
}

func TestBrokenFeatureStore(t *testing.T) {
	var probes, others atomic.Int64
	store := &memoryStore{err: errors.New("disk is full")}
	c := newFakeClient(t, ignoring(&probes, &others), func(o *Options) { o.ProbePrefix, o.FeatureStore = ".s3mount/", store })
	noError(t, condPut(t, c, "bucket"))
}

func TestFeatureTable(t *testing.T) {
	names := map[string]bool{}
	for x := range featureCount {
		row := x.row()
		if row.name == "" || row.subject == "" || row.instead == "" || names[row.name] {
			t.Errorf("row %d: %+v", x, row)
		}
		names[row.name] = true
		var back Feature
		text, err := x.MarshalText()
		noError(t, err)
		noError(t, back.UnmarshalText(text))
		if back != x {
			t.Errorf("%s becomes %s", x, back)
		}
	}
	for s := SupportUnknown; s <= SupportRefused; s++ {
		var back Support
		text, err := s.MarshalText()
		noError(t, err)
		noError(t, back.UnmarshalText(text))
		if back != s {
			t.Errorf("%s becomes %s", s, back)
		}
	}
	for _, name := range ServerProfiles() {
		if _, err := New(Options{Server: name}); err != nil {
			t.Error(err)
		}
	}
	if _, err := New(Options{Server: "unheard-of"}); err == nil {
		t.Error("any profile is accepted")
	}
}
