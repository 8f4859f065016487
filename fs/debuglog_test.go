package fs

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestDebugLogHasNoData(t *testing.T) {
	for line, want := range map[string]string{
		`rx 5: LOOKUP n1 "a \"name\" 5b"  p7`:                    `rx 5: LOOKUP n1 "a \"name\" 5b"  p7`,
		`rx 5: RENAME2 n1 {n1 0x0} "from" "to" p7`:               `rx 5: RENAME2 n1 {n1 0x0} "from" "to" p7`,
		`rx 5: WRITE n7 {Fh 1 [3 +0)  L 0 } "secret" 6b p7`:      `rx 5: WRITE n7 {Fh 1 [3 +0)  L 0 } 6b p7`,
		`rx 5: WRITE n7 {Fh 1 [3 +0)  L 0 } "secre\"t "... 9b p`: `rx 5: WRITE n7 {Fh 1 [3 +0)  L 0 } 9b p`,
		`rx 5: SETXATTR n7 {} "user.x" " 5b\" 5b"... 9b p7`:      `rx 5: SETXATTR n7 {} "user.x" 9b p7`,
		`tx 5:     OK,  6b data "secret"`:                        `tx 5:     OK,  6b data `,
		`tx 5:     OK,  60b data "secretse"...`:                  `tx 5:     OK,  60b data `,
		`tx 5:     OK,  "target"`:                                `tx 5:     OK,  "target"`,
		`tx 5:     OK,  60b data "secr`:                          `tx 5:     OK,  60b data `,
	} {
		if got := withoutData(line); got != want {
			t.Errorf("%s\nbecomes %s\nwant    %s", line, got, want)
		}
	}
	var out bytes.Buffer
	newDebugLog(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))).Printf("rx 1: WRITE %q 6b", "secret")
	if got := out.String(); !strings.Contains(got, "WRITE 6b") || strings.Contains(got, "secret") {
		t.Errorf("the log has %s", got)
	}
}
