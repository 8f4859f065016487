package harness

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// leaks tells which files with output of the programs under test hold a secret:
// the account's key, or a signature that was made with it. Those are the logs
// below dir (the server's own excepted) and what the test's process printed.
func leaks(dir string) string {
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "data" || d.Name() == "versions"): // the buckets of a server
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

// isOutput tells files that programs under test print into.
func isOutput(name string) bool {
	return name == "output" || strings.HasSuffix(name, ".log") && name != "versitygw.log" && name != "access.log"
}
