// Package exittest checks errors that carry exit codes.
package main

import (
	"strings"
	"testing"
)

// wantFailure checks an error's code and that it is one line that says says;
// with says "" there must be no error.
func wantFailure(t *testing.T, err error, code int, says string) {
	t.Helper()
	if says == "" {
		if err != nil {
			t.Errorf("error %q, want none", err)
		}
		return
	}
	if err == nil || exitCode(err) != code || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v (code %d), want one line that says %q (code %d)", err, exitCode(err), says, code)
	}
}
