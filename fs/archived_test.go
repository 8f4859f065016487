package fs

import (
	"bytes"
	"log/slog"
	"strings"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3mount/s3mount/s3"
	"github.com/s3mount/s3mount/s3/s3test"
)

// TestArchivedObject shows that an archived object can be listed, that its bytes are ENODATA
// until it is restored, and that the log has the remedy once.
func TestArchivedObject(t *testing.T) {
	for name, size := range map[string]int{"small": 10, "large": 32 << 20} {
		t.Run(name, func(t *testing.T) {
			srv := s3test.NewServer(t, s3test.Options{Buckets: []string{testBucket}})
			data := strings.Repeat("x", size)
			_, err := srv.Client().Put(t.Context(), &s3.PutInput{Bucket: testBucket, Key: "f", Body: strings.NewReader(data), Size: int64(size),
				ObjectOptions: s3.ObjectOptions{StorageClass: "DEEP_ARCHIVE"}})
			if err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			k := remount(t, srv, func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
			if names := k.ls("/"); len(names) != 1 {
				t.Errorf("ls: %q", names)
			}
			if attr, st := k.stat("f"); st != fuse.OK || attr.Size != uint64(size) {
				t.Errorf("stat: %+v, %v", attr, st)
			}
			for range 2 {
				fh, st := k.tryOpen("f", syscall.O_RDONLY)
				if st == fuse.OK {
					_, st = k.tryRead(fh, 0, 10)
					k.release(fh)
				}
				errnoIs(t, st, syscall.ENODATA, "read")
			}
			errnoIs(t, k.rename("f", "g", 0), syscall.ENODATA, "rename")
			fh, st := k.tryOpen("f", syscall.O_WRONLY|syscall.O_APPEND)
			if st == fuse.OK {
				k.write(fh, int64(size), "more")
				st = k.flush(fh)
				k.release(fh)
			}
			errnoIs(t, st, syscall.ENODATA, "append")
			if n := strings.Count(log.String(), "s3mount restore PATH"); n != 1 {
				t.Errorf("the log has the remedy %d times:\n%s", n, &log)
			}
			k.wantObjectSize("f", size)

			if err := srv.Client().Restore(t.Context(), &s3.RestoreInput{Bucket: testBucket, Key: "f", Days: 1, Tier: "Bulk"}); err != nil {
				t.Fatal(err)
			}
			fh, st = k.tryOpen("f", syscall.O_RDONLY)
			if st == fuse.OK {
				_, st = k.tryRead(fh, 0, 10)
				k.release(fh)
			}
			errnoIs(t, st, syscall.ENODATA, "read while it is restored")
			srv.FinishRestores(testBucket)
			fh = k.openFile("f", syscall.O_RDONLY)
			if got := k.read(fh, 0, 10); got != data[:10] {
				t.Errorf("read after the restore: %q", got)
			}
			k.release(fh)
		})
	}
}

// wantObjectSize fails the test unless S3 holds an object of this size.
func (k *kernel) wantObjectSize(key string, size int) {
	k.t.Helper()
	body, _, ok := k.srv.Object(testBucket, key)
	if !ok || len(body) != size {
		k.t.Errorf("object %q has %d bytes (%v), want %d", key, len(body), ok, size)
	}
}
