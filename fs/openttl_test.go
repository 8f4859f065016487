package fs

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestOpenTTL counts the requests of 300 opens of each of 10 small files, one of which
// this mount has written. Without the option each open asks S3.
func TestOpenTTL(t *testing.T) {
	for ttl, most := range map[time.Duration]int{0: 3100, time.Nanosecond: 3100, time.Hour: 20} {
		t.Run(ttl.String(), func(t *testing.T) {
			k := newKernel(t, func(o *Options) { o.OpenTTL = ttl })
			names := strings.Split("abcdefghi", "")
			for _, name := range names {
				k.srv.PutObject(testBucket, name, []byte("text of "+name), nil)
			}
			k.put("own", "text of own")
			names = append(names, "own")
			before := k.requests("")
			for range 300 {
				for _, name := range names {
					fh := k.openFile(name, syscall.O_RDONLY)
					if got := k.read(fh, 0, 100); got != "text of "+name {
						t.Fatalf("read %q", got)
					}
					k.release(fh)
				}
			}
			n := k.requests("") - before
			t.Logf("%d requests", n)
			if n > most || ttl < time.Second && k.requests("GetObject") < 3000 {
				t.Errorf("3000 opens cost %d requests, of which %d GETs", n, k.requests("GetObject"))
			}
		})
	}
}

// TestOpenTTLOfAChange replaces a file elsewhere. An open within the time shows the old
// version, a listing or a lookup that hears of the new one ends that, and so does an
// invalidation.
func TestOpenTTLOfAChange(t *testing.T) {
	hear := map[string]func(k *kernel){
		"invalidate all": func(k *kernel) { k.f.invalidateAll() },
		"invalidate": func(k *kernel) {
			id, _ := k.lookup("f")
			k.f.invalidate(k.f.inodes.get(id))
		},
		"lookup":  func(k *kernel) { k.f.ns.InvalidateAll(); k.lookup("f") },
		"listing": func(k *kernel) { k.f.ns.InvalidateAll(); k.ls("/") },
	}
	for name, hears := range hear {
		t.Run(name, func(t *testing.T) {
			k := newKernel(t, func(o *Options) { o.OpenTTL = time.Hour })
			k.srv.PutObject(testBucket, "f", []byte("first"), nil)
			k.cat("f")
			k.srv.PutObject(testBucket, "f", []byte("other"), nil)
			if got := k.cat("f"); got != "first" {
				t.Errorf("an open within the time reads %q", got)
			}
			hears(k)
			if got := k.cat("f"); got != "other" {
				t.Errorf("after that an open reads %q", got)
			}
		})
	}
}

// TestOpenTTLKeepsWrites appends to a file that was replaced elsewhere. The commit is
// refused although the open has asked nobody (P3).
func TestOpenTTLKeepsWrites(t *testing.T) {
	k := newKernel(t, func(o *Options) { o.OpenTTL = time.Hour })
	k.srv.PutObject(testBucket, "f", []byte("first"), nil)
	k.cat("f")
	k.srv.PutObject(testBucket, "f", []byte("other"), nil)
	fh := k.openFile("f", syscall.O_WRONLY|syscall.O_APPEND)
	k.write(fh, 5, " more")
	errnoIs(t, k.flush(fh), syscall.ESTALE, "close of a change of an old version")
	k.release(fh)
	k.wantObject("f", "other")
	if got := k.cat("f"); got != "other" {
		t.Errorf("after the conflict an open reads %q", got)
	}
}
