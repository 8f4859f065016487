// Package exittest checks errors that carry exit codes.
package exittest

import (
	"strings"
	"testing"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
)

// Want checks that an error has the code and is one line that contains says. If says is
// empty, there must be no error.
func Want(t *testing.T, err error, code int, says string) {
	t.Helper()
	if says == "" {
		if err != nil {
			t.Errorf("error %q, want none", err)
		}
		return
	}
	if err == nil || exit.Code(err) != code || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v (code %d), want one line that says %q (code %d)", err, exit.Code(err), says, code)
	}
}
