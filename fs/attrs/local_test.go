package attrs

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestLocalAttrsAreBounded(t *testing.T) {
	dir := t.TempDir()
	l := &Local{o: &Options{Dir: dir, Posix: PosixFull}}
	for i := range 10 {
		p := filepath.Join(dir, fmt.Sprint(i)+localSuffix)
		if err := os.WriteFile(p, make([]byte, 100), 0o600); err != nil {
			t.Fatal(err)
		}
		when := time.Unix(int64(1000+i), 0)
		if err := os.Chtimes(p, when, when); err != nil {
			t.Fatal(err)
		}
	}
	l.shrink(context.Background(), 1000)
	if files, _ := os.ReadDir(dir); len(files) != 10 {
		t.Errorf("%d files at the limit, want all", len(files))
	}
	l.shrink(context.Background(), 999)
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 4 || files[0].Name() != "6"+localSuffix {
		t.Errorf("beyond the limit there are %v, %v", files, err)
	}
}
