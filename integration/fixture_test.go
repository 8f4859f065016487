package integration

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// fixtureTime is when every file of the fixture was changed: long ago, to the
// nanosecond, so that a tool which keeps times can be told from one that does not.
var fixtureTime = time.Date(2020, 2, 29, 12, 34, 56, 123456789, time.UTC)

// payload gives n bytes that depend on seed only and repeat nowhere.
func payload(seed, n int) []byte {
	src := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)})
	b := make([]byte, n)
	_, _ = src.Read(b) // never fails
	return b
}

// fixture creates a varied tree: sizes around the limits of pages and blocks, a file
// larger than a part, unusual names, modes, and an empty directory.
func fixture(t testing.TB, dir string) string {
	t.Helper()
	sizes := []int{0, 1, 4095, 4096, 4097, 131071, 131072, 131073, 1 << 20}
	files := map[string][]byte{
		"big.bin":                      payload(1, 20<<20+17),
		"name with spaces and 'quotes": payload(2, 100),
		"ünïcödé-名前":                   payload(3, 100),
		"-dash":                        payload(4, 10),
		"percent%20+plus&amp;":         payload(5, 10),
		".hidden":                      payload(6, 10),
		"text.txt":                     []byte("one\ntwo\nthree\nfour\nfive\n"),
	}
	for i, n := range sizes {
		files[fmt.Sprintf("sizes/s%07d", n)] = payload(10+i, n)
	}
	for i := range 30 {
		files[fmt.Sprintf("deep/d%d/e%d/f%02d.txt", i%3, i%5, i)] = payload(100+i, 50*i)
	}
	for name, b := range files {
		p := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(p), 0o755))
		must(t, os.WriteFile(p, b, 0o644))
		must(t, os.Chtimes(p, fixtureTime, fixtureTime))
	}
	must(t, os.Chmod(filepath.Join(dir, "sizes/s0004096"), 0o640))
	must(t, os.WriteFile(filepath.Join(dir, "run.sh"), []byte("#!/bin/sh\necho ran \"$@\"\n"), 0o755))
	must(t, os.Chmod(filepath.Join(dir, "run.sh"), 0o755))
	must(t, os.Chtimes(filepath.Join(dir, "run.sh"), fixtureTime, fixtureTime))
	must(t, os.Mkdir(filepath.Join(dir, "empty"), 0o755))
	must(t, os.Symlink("../text.txt", filepath.Join(dir, "deep/link")))
	return dir
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
