package setup

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/private"
	"github.com/s3mount/s3mount/s3"
)

// maxServerFile limits the size of a file of findings. It has about twenty findings of 100
// bytes.
const maxServerFile = 64 << 10

// serverFiles stores findings about servers, in one file for each bucket, for all mounts with
// the same state directory. If two mounts write at the same moment, a finding of one can be
// lost; it is then found again.
type serverFiles struct {
	stateDir string
	dir      string
	endpoint string

	mu sync.Mutex // held while a file is changed
}

// serverFile is the content of one file.
type serverFile struct {
	Endpoint string            `json:"endpoint"`
	Bucket   string            `json:"bucket"`
	Features []json.RawMessage `json:"features"`
}

func newServerFiles(stateDir, endpoint string) *serverFiles {
	return &serverFiles{stateDir: stateDir, dir: filepath.Join(stateDir, "servers"), endpoint: endpoint}
}

// path returns the file of a bucket. Its name does not reveal the name of the bucket.
func (f *serverFiles) path(bucket string) string {
	sum := sha256.Sum256([]byte(f.endpoint + "\n" + bucket))
	return filepath.Join(f.dir, hex.EncodeToString(sum[:16])+".json")
}

// LoadFeatures implements s3.FeatureStore.
func (f *serverFiles) LoadFeatures(bucket string) ([]s3.Finding, error) {
	file, err := os.Open(f.path(bucket))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open the findings about the server: %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxServerFile))
	if err != nil {
		return nil, fmt.Errorf("read the findings about the server: %w", err)
	}
	var content serverFile
	if err := json.Unmarshal(data, &content); err != nil {
		return nil, fmt.Errorf("read %s: %w", file.Name(), err)
	}
	if content.Endpoint != f.endpoint || content.Bucket != bucket {
		return nil, nil
	}
	var found []s3.Finding
	for _, raw := range content.Features {
		var one s3.Finding
		if json.Unmarshal(raw, &one) == nil { // a newer version may know more features
			found = append(found, one)
		}
	}
	return found, nil
}

// SaveFeatures implements s3.FeatureStore.
func (f *serverFiles) SaveFeatures(bucket string, found []s3.Finding) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := map[s3.Feature]s3.Finding{}
	stored, _ := f.LoadFeatures(bucket) // a damaged file is replaced
	for _, one := range append(stored, found...) {
		all[one.Feature] = one
	}
	content := serverFile{Endpoint: f.endpoint, Bucket: bucket}
	for x := s3.Feature(0); len(content.Features) < len(all); x++ {
		one, ok := all[x]
		if !ok {
			continue
		}
		raw, err := json.Marshal(one)
		if err != nil {
			return fmt.Errorf("encode a finding about the server: %w", err)
		}
		content.Features = append(content.Features, raw)
	}
	data, err := json.MarshalIndent(content, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the findings about the server: %w", err)
	}
	return f.write(f.path(bucket), append(data, '\n'))
}

// write replaces a file as a whole.
func (f *serverFiles) write(path string, data []byte) error {
	// The doctor may write before a mount has created the state directory. The directory
	// must be private from the beginning, because a mount refuses one with files that is
	// open to others.
	for _, dir := range []string{f.stateDir, f.dir} {
		if err := private.Make(dir); err != nil {
			return fmt.Errorf("make the directory of findings about servers: %w", err)
		}
	}
	tmp, err := os.CreateTemp(f.dir, ".new-*")
	if err != nil {
		return fmt.Errorf("write the findings about the server: %w", err)
	}
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write the findings about the server: %w", err), os.Remove(tmp.Name()))
	}
	return nil
}
