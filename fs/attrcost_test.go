package fs

import (
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3mount/s3mount/s3/s3test"
)

// agedBucket returns a server whose clock was an hour behind while fill wrote to it, so
// that mounts believe what they hear of the objects for a while.
func agedBucket(t *testing.T, fill func(srv *s3test.Server)) *s3test.Server {
	t.Helper()
	var behind atomic.Int64
	behind.Store(int64(time.Hour))
	srv := s3test.NewServer(t, s3test.Options{Now: func() time.Time { return time.Now().Add(-time.Duration(behind.Load())) }})
	srv.CreateBucket(testBucket)
	fill(srv)
	behind.Store(0)
	srv.Reset()
	return srv
}

// throughMount fills a bucket as a mount does, which stores hints.
func throughMount(t *testing.T, keys []string) *s3test.Server {
	return agedBucket(t, func(srv *s3test.Server) {
		k := remount(t, srv)
		made := map[string]bool{}
		for _, key := range keys {
			parts := strings.Split(key, "/")
			for i := 1; i < len(parts); i++ {
				if dir := strings.Join(parts[:i], "/"); !made[dir] {
					made[dir] = true
					k.must(k.mkdir(dir), "mkdir", dir)
				}
			}
			k.put(key, "x")
		}
		k.unmount()
	})
}

// byOthers fills a bucket as another client does. A mount has stored a mode in the
// directory shared, before or in between.
func byOthers(t *testing.T, shared string, keys []string) *s3test.Server {
	return agedBucket(t, func(srv *s3test.Server) {
		srv.PutObject(testBucket, shared+"own", []byte("x"), nil)
		k := remount(t, srv)
		k.must(k.setattr(shared+"own", fuse.SetAttrIn{SetAttrInCommon: fuse.SetAttrInCommon{Valid: fuse.FATTR_MODE, Mode: syscall.S_IFREG | 0o600}}), "chmod", shared)
		k.unmount()
		for _, key := range keys {
			srv.PutObject(testBucket, key, []byte("x"), nil)
		}
	})
}

func names(format string, n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf(format, i)
	}
	return keys
}

// TestAttributeRequests counts the requests of common work in a bucket that a mount or
// another client has filled.
func TestAttributeRequests(t *testing.T) {
	remove := func(k *kernel, keys []string) {
		k.ls("d")
		for _, key := range keys {
			k.must(k.unlink(key), "unlink", key)
		}
	}
	look := func(k *kernel, keys []string) {
		k.ls("d")
		for range 2 {
			for _, key := range keys {
				if a, st := k.stat(key); st != fuse.OK || a.Size != 1 {
					k.t.Fatalf("stat %s: %v, %d bytes", key, syscall.Errno(st), a.Size)
				}
			}
		}
	}
	read := func(k *kernel, keys []string) {
		for _, key := range keys {
			k.cat(key)
		}
	}
	create := func(k *kernel, keys []string) {
		for _, key := range keys {
			k.put(key+".new", "x")
		}
	}
	flat, deep := names("d/f%03d", 300), names("a/b%02[1]d/c/d/f%02[1]d", 100)
	for _, tc := range []struct {
		name, by string // filled by
		keys     []string
		run      func(*kernel, []string)
		most     int // without DeleteObjects and the requests of the unmount
	}{
		{"remove", "mount", flat, remove, 8},
		{"remove", "others", flat, remove, 8},
		{"remove", "others, mode stored beside", flat, remove, 8},
		{"look", "mount", flat, look, 8},
		{"look", "others", flat, look, 6},
		{"look", "others, mode stored beside", flat, look, 8 + 300},
		{"read", "mount", flat, read, 315},
		{"read", "others", flat, read, 315},
		{"create", "mount", flat, create, 315},
		{"create", "others", flat, create, 315},
		{"create", "others, mode stored beside", flat, create, 315},
		{"stat of deep paths", "others", deep, func(k *kernel, keys []string) {
			for _, key := range keys {
				k.stat(key)
			}
		}, 5},
		{"stat of deep paths", "mount", deep, func(k *kernel, keys []string) {
			for _, key := range keys {
				k.stat(key)
			}
		}, 3*100 + 8}, // the index of each directory
	} {
		t.Run(tc.name+"/"+tc.by, func(t *testing.T) {
			var srv *s3test.Server
			switch tc.by {
			case "mount":
				srv = throughMount(t, tc.keys)
			case "others":
				srv = byOthers(t, "", tc.keys)
			default:
				srv = byOthers(t, "d/", tc.keys)
			}
			k := remount(t, srv)
			tc.run(k, tc.keys)
			if got := srv.Total() - srv.Requests()["DeleteObjects"]; got > tc.most {
				t.Errorf("%d requests, want at most %d: %v", got, tc.most, srv.Requests())
			} else {
				t.Log(srv.Requests())
			}
		})
	}
}

// TestLookedAtOnce checks that attributes without a hint are requested once. The next
// mount gets them from the hint.
func TestLookedAtOnce(t *testing.T) {
	keys := names("d/f%03d", 200)
	srv := byOthers(t, "d/", keys)
	for i, most := range []int{215, 15} {
		k := remount(t, srv)
		srv.Reset()
		k.ls("d")
		for _, key := range keys {
			if _, st := k.stat(key); st != fuse.OK {
				t.Fatalf("stat %s: %v", key, syscall.Errno(st))
			}
		}
		k.unmount()
		if got := srv.Total(); got > most {
			t.Errorf("mount %d looks at the files with %d requests, want at most %d: %v", i, got, most, srv.Requests())
		}
	}
}
