package harness

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// leaks describes the files that contain a secret: the key of the account or a
// signature. It searches the logs below dir, except those of the server, and the output
// of the test.
func leaks(dir string) string {
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "data" || d.Name() == "versions"): // buckets of a server
			return fs.SkipDir
		case !d.Type().IsRegular() || !isOutput(d.Name()):
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, secret := range []string{SecretKey, "Signature="} {
			if i := bytes.Index(text, []byte(secret)); i >= 0 {
				line := text[bytes.LastIndexByte(text[:i], '\n')+1:]
				line, _, _ = bytes.Cut(line, []byte("\n"))
				fmt.Fprintf(&b, "a secret in %s: %s\n", path, line)
			}
		}
		return nil
	})
	if err != nil {
		fmt.Fprintf(&b, "look for secrets: %v\n", err)
	}
	return b.String()
}

// isOutput reports whether a file contains output of the programs under test.
func isOutput(name string) bool {
	return name == "output" || strings.HasSuffix(name, ".log") && name != "versitygw.log" && name != "access.log"
}
