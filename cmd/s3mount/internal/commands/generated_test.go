package commands

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit/exittest"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/manual"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/settings"
)

// TestManPage checks that the page contains all rows of the tables, and that groff
// formats it without a warning.
func TestManPage(t *testing.T) {
	page, err := runArgs(t, "man")
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range settings.Options() {
		if !strings.Contains(page, manual.Roff(strings.Join(o.Flags(), ", "))) || !strings.Contains(page, manual.Roff(o.Env())) {
			t.Errorf("the page lacks --%s", o.Name)
		}
	}
	for _, c := range All() {
		if !strings.Contains(page, "s3mount "+manual.Roff(c.Name)+`\fR`) {
			t.Errorf("the page lacks the command %s", c.Name)
		}
	}
	_, err = runArgs(t, "man", "more")
	exittest.Want(t, err, exit.Usage, "more")
	if _, err := exec.LookPath("groff"); err != nil {
		t.Skip("groff is not installed")
	}
	cmd := exec.Command("groff", "-man", "-ww", "-Tutf8", "-rLL=100n", "-P-cbou")
	cmd.Stdin = strings.NewReader(page)
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil || complaints.Len() > 0 {
		t.Errorf("groff: %v\n%s", err, &complaints)
	}
	for _, want := range []string{"--memory-limit", "S3MOUNT_LOG_FILE", "EXIT STATUS", "[mounts.photos]"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the page as it is shown lacks %q", want)
		}
	}
}

func TestCompletionRefuses(t *testing.T) {
	for _, args := range [][]string{{"completion"}, {"completion", "tcsh"}, {"completion", "bash", "more"}} {
		_, err := runArgs(t, args...)
		exittest.Want(t, err, exit.Usage, args[len(args)-1])
	}
}

// TestBashCompletion checks the completions that bash offers.
func TestBashCompletion(t *testing.T) {
	script, err := runArgs(t, "completion", "bash")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("bash is not installed")
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "mnt"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ line, want string }{
		{"s3mount --log-l", "--log-level"},
		{"s3mount --log-level d", "debug"},
		{"s3mount --log-level = w", "warn"},
		{"s3mount he", "help"},
		{"s3mount help fst", "fstab"},
		{"s3mount completion f", "fish"},
		{"s3mount bucket mn", "mnt"},
		{"s3mount --cache m", "mnt"},
		{"s3mount --region m", ""},
	} {
		// compopt works only while bash itself completes.
		ask := script + "\ncompopt() { :; }\nCOMP_WORDS=(" + tc.line + "); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); _s3mount; echo \"${COMPREPLY[*]}\"\n"
		cmd := exec.Command("bash", "--norc", "-eu")
		cmd.Stdin, cmd.Dir = strings.NewReader(ask), dir
		out, err := cmd.CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != tc.want {
			t.Errorf("%s: %q (%v), want %q", tc.line, got, err, tc.want)
		}
	}
}

// TestCompletionForm checks that the completions contain every option, and that the
// other shells can read them if they are installed.
func TestCompletionForm(t *testing.T) {
	for _, shell := range []string{"zsh", "fish"} {
		t.Run(shell, func(t *testing.T) {
			script, err := runArgs(t, "completion", shell)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range settings.Options() {
				if !strings.Contains(script, o.Name) {
					t.Errorf("there is no %s", o.Name)
				}
			}
			if _, err := exec.LookPath(shell); err != nil {
				t.Skipf("%s is not installed", shell)
			}
			file := filepath.Join(t.TempDir(), "completion")
			if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command(shell, "-n", file).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
