package setup

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/private"
	"github.com/s3mount/s3mount/s3"
)

func TestServerFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	f := newServerFiles(dir, "http://one")
	if got, err := f.LoadFeatures("b"); err != nil || got != nil {
		t.Errorf("before anything was found: %v %v", got, err)
	}
	now := time.Now().UTC().Truncate(time.Second)
	yes := s3.Finding{Feature: s3.FeaturePutIfMatch, Support: s3.SupportYes, Time: now, Origin: s3.OriginProbe}
	no := s3.Finding{Feature: s3.FeatureCopy, Support: s3.SupportRefused, Time: now, Origin: s3.OriginUse}
	for _, one := range []s3.Finding{no, yes} {
		if err := f.SaveFeatures("b", []s3.Finding{one}); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := newServerFiles(dir, "http://one").LoadFeatures("b"); err != nil || !reflect.DeepEqual(got, []s3.Finding{yes, no}) {
		t.Errorf("another mount reads %v %v", got, err)
	}
	for _, other := range []*serverFiles{newServerFiles(dir, "http://two"), newServerFiles(t.TempDir(), "http://one")} {
		if got, err := other.LoadFeatures("b"); err != nil || got != nil {
			t.Errorf("another server has %v %v", got, err)
		}
	}
	if got, err := f.LoadFeatures("c"); err != nil || got != nil {
		t.Errorf("another bucket has %v %v", got, err)
	}
	if names, err := os.ReadDir(f.dir); err != nil || len(names) != 1 {
		t.Errorf("files %v %v", names, err)
	}
}

func TestDamagedServerFile(t *testing.T) {
	f := newServerFiles(t.TempDir(), "http://one")
	found := []s3.Finding{{Feature: s3.FeatureCopy, Support: s3.SupportRefused, Time: time.Unix(1, 0).UTC(), Origin: s3.OriginUse}}
	for _, damage := range []string{"", "{", "[]", "\x00\x01", `{"endpoint":7}`} {
		if err := f.SaveFeatures("b", found); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f.path("b"), []byte(damage), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := f.LoadFeatures("b"); err == nil || got != nil {
			t.Errorf("%q: %v %v", damage, got, err)
		}
		if err := f.SaveFeatures("b", found); err != nil {
			t.Errorf("%q cannot be replaced: %v", damage, err)
		}
		if got, err := f.LoadFeatures("b"); err != nil || !reflect.DeepEqual(got, found) {
			t.Errorf("after %q: %v %v", damage, got, err)
		}
	}
	const newer = `{"endpoint":"http://one","bucket":"b","features":[{"feature":"of-the-future","support":"yes"},{"feature":"copy","support":"refused","time":"1970-01-01T00:00:01Z","origin":"use"}]}`
	if err := os.WriteFile(f.path("b"), []byte(newer), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := f.LoadFeatures("b"); err != nil || !reflect.DeepEqual(got, found) {
		t.Errorf("of a newer version: %v %v", got, err)
	}
}

// TestServerFilesArePrivate checks that findings that are saved before the first mount
// leave a state directory that a mount accepts.
func TestServerFilesArePrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := newServerFiles(dir, "http://server").SaveFeatures("bucket", nil); err != nil {
		t.Fatal(err)
	}
	if err := private.Check(dir); err != nil {
		t.Error(err)
	}
}
