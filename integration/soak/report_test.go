package soak

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Environment variables of the programs in this package.
const (
	envTime    = "SOAK_TIME"    // the duration of each program; unset is the short form
	envSeed    = "SOAK_SEED"    // the seed of the random choices
	envResults = "SOAK_RESULTS" // the file that receives the table as JSON
	envRows    = "SOAK_ROWS"    // the directory in which the programs leave their rows
)

// row is the result of one program.
type row struct {
	Program    string `json:"program"`
	Seed       uint64 `json:"seed"`
	Rounds     int    `json:"rounds"`
	Kills      int    `json:"kills"`
	Faults     int    `json:"faults"`
	Operations int    `json:"operations"` // acknowledged ones
	Histories  int    `json:"histories"`  // verified ones
	Violations int    `json:"violations"`
}

// newRow returns a row that is written when the test ends.
func newRow(t *testing.T, program string, seed uint64) *row {
	r := &row{Program: program, Seed: seed}
	t.Cleanup(func() {
		b, err := json.Marshal(r)
		if err != nil {
			t.Error(err)
			return
		}
		t.Logf("result: %s", b)
		if err := os.WriteFile(filepath.Join(os.Getenv(envRows), program), b, 0o644); err != nil {
			t.Error(err)
		}
	})
	return r
}

// violate reports that a promise is broken.
func (r *row) violate(t *testing.T, format string, args ...any) {
	t.Helper()
	r.Violations++
	t.Errorf("violation with seed %d: %s", r.Seed, fmt.Sprintf(format, args...))
}

// withTable runs all tests and then prints one table of their rows. Only the
// outermost process of the tests prints it.
func withTable(run func() int) int {
	if os.Getenv(envRows) != "" {
		return run()
	}
	dir, err := os.MkdirTemp("", "s3mount-soak-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := os.Setenv(envRows, dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := run()
	rows, err := readRows(dir)
	if err == nil && len(rows) > 0 {
		printTable(os.Stdout, rows)
		err = writeResults(rows)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "report the results:", err)
		return 1
	}
	return code
}

func readRows(dir string) ([]row, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		var r row
		if err := json.Unmarshal(b, &r); err != nil {
			return nil, fmt.Errorf("parse the row of %s: %w", e.Name(), err)
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// printTable prints the rows in Markdown.
func printTable(w io.Writer, rows []row) {
	total := row{Program: "total"}
	fmt.Fprintln(w, "| Program | Rounds | Kills | Faults injected | Operations acknowledged | Histories verified | Violations |")
	fmt.Fprintln(w, "|---|--:|--:|--:|--:|--:|--:|")
	for _, r := range append(rows, total) {
		if r.Program == total.Program {
			r = total
		}
		fmt.Fprintf(w, "| %s | %d | %d | %d | %d | %d | %d |\n", r.Program, r.Rounds, r.Kills, r.Faults, r.Operations, r.Histories, r.Violations)
		total.Rounds += r.Rounds
		total.Kills += r.Kills
		total.Faults += r.Faults
		total.Operations += r.Operations
		total.Histories += r.Histories
		total.Violations += r.Violations
	}
}

// writeResults writes the rows as JSON if the environment names a file.
func writeResults(rows []row) error {
	path := os.Getenv(envResults)
	if path == "" {
		return nil
	}
	b, err := json.MarshalIndent(rows, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}

// seedOf returns the seed of the environment, or a new one, and prints it.
func seedOf(t *testing.T) uint64 {
	t.Helper()
	seed := rand.Uint64N(1e9)
	if s := os.Getenv(envSeed); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", envSeed, err)
		}
		seed = n
	}
	t.Logf("%s=%d", envSeed, seed)
	return seed
}

// fullTime returns how long the full form lasts, or 0 for the short form.
func fullTime(t *testing.T) time.Duration {
	t.Helper()
	s := os.Getenv(envTime)
	if s == "" {
		return 0
	}
	d, err := time.ParseDuration(strings.TrimSpace(s))
	if err != nil {
		t.Fatalf("%s: %v", envTime, err)
	}
	return d
}

// rounds calls round with 0, 1 and so on: a fixed number of times in the short
// form, and until the time is over in the full form. It stops when the test fails.
func rounds(t *testing.T, short int, round func(i int)) {
	t.Helper()
	full := fullTime(t)
	end := time.Now().Add(full)
	for i := 0; !t.Failed(); i++ {
		if full == 0 && i >= short || full != 0 && time.Now().After(end) {
			return
		}
		round(i)
	}
}
