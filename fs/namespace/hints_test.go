package namespace

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3mount/s3mount/fs/attrs"
	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/s3"
)

// TestUnusableHint checks that a hint that is damaged, unreadable, missing or too large
// is ignored and logged in one line. The files have their own attributes, and the next
// write replaces the hint.
func TestUnusableHint(t *testing.T) {
	denied := &s3.Error{Op: "GetObject", Status: http.StatusForbidden, Err: s3.ErrForbidden}
	for _, tc := range []struct {
		name   string
		spoil  func(f *fakeStore, key string, hint []byte)
		healed bool // by the next write
		logged int
	}{
		{name: "one changed byte", logged: 1, healed: true, spoil: func(f *fakeStore, key string, hint []byte) {
			hint = bytes.Clone(hint)
			hint[len(hint)/2]++
			f.set(key, string(hint), nil, time.Now())
		}},
		{name: "empty", logged: 1, healed: true, spoil: func(f *fakeStore, key string, _ []byte) { f.set(key, "", nil, time.Now()) }},
		{name: "half", logged: 1, healed: true, spoil: func(f *fakeStore, key string, hint []byte) {
			f.set(key, string(hint[:len(hint)/2]), nil, time.Now())
		}},
		{name: "of another directory", logged: 1, healed: true, spoil: func(f *fakeStore, key string, _ []byte) {
			f.set(key, string(attrs.EncodeIndex("other/", nil)), nil, time.Now())
		}},
		{name: "too large", logged: 1, healed: true, spoil: func(f *fakeStore, key string, _ []byte) {
			f.server.PutRepeated("b", key, []byte("x"), attrs.MaxIndexSize+1, nil)
		}},
		{name: "deleted", healed: true, spoil: func(f *fakeStore, key string, _ []byte) { f.server.RemoveObject("b", key) }},
		{name: "bytes that the server has changed", logged: 1, healed: true, spoil: func(f *fakeStore, key string, _ []byte) {
			f.setFail(func(op, k string) error {
				if op == "GET" && k == key {
					return &s3.Error{Op: "GetObject", Status: http.StatusOK, Err: s3.ErrChecksum}
				}
				return nil
			})
		}},
		{name: "forbidden", logged: 1, spoil: func(f *fakeStore, key string, _ []byte) {
			f.setFail(func(op, k string) error {
				if op == "GET" && k == key {
					return denied
				}
				return nil
			})
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(t)
				n := newTest(t, f)
				if _, err := n.Mkdir(context.Background(), n.Root(), "d", attrFor(1)); err != nil {
					t.Fatal(err)
				}
				commit(t, n, f, "d", "f", "same", attrFor(3))
				if _, err := n.Mknod(context.Background(), at(t, n, "d"), "link", entry.Symlink, attrFor(7), "f"); err != nil {
					t.Fatal(err)
				}
				mustDrain(t, n)
				key := n.index.Key("d/")
				hint, _, ok := f.server.Object("b", key)
				if !ok {
					t.Fatal("there is no hint")
				}
				tc.spoil(f, key, hint)
				time.Sleep(time.Minute)
				var log bytes.Buffer
				n = newTest(t, f, func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
				for range 3 {
					got := dirents(t, n, "d")
					equal(t, "mode", shown(t, n, got["f"]).Attr.Perm, map[bool]uint32{true: 0o644, false: attrFor(3).Perm}[tc.name == "deleted"])
					if tc.name != "deleted" {
						equal(t, "kind of the symlink", got["link"].Kind, entry.Symlink)
					}
					at(t, n, "d/f")
					n.InvalidateAll()
				}
				commit(t, n, f, "d", "g", "more", attrFor(4))
				mustDrain(t, n)
				if got := strings.Count(log.String(), "\n"); got != tc.logged {
					t.Errorf("%d lines are logged, want %d:\n%s", got, tc.logged, log.String())
				}
				f.setFail(nil)
				data, _, _ := f.server.Object("b", key)
				_, rows, err := attrs.DecodeIndex(data)
				if _, has := rows["g"]; has != tc.healed || err != nil {
					t.Errorf("after the next write the hint has %d rows, with the new file: %v (%v)", len(rows), has, err)
				}
			})
		})
	}
}
