package soak

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// produceOp is the process that makes changes in an order. Its arguments are the
// directory and the number of steps.
func produceOp(args []string) error {
	steps, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	for i := range steps {
		p := func(name string) string { return filepath.Join(args[0], fmt.Sprintf("%s-%d", name, i)) }
		text := []byte(strconv.Itoa(i))
		for _, change := range []func() error{
			func() error { return os.WriteFile(p("old"), text, 0o644) },
			func() error { return os.WriteFile(p("gone"), text, 0o644) },
			func() error { return os.Rename(p("old"), p("new")) },
			func() error { return os.Remove(p("gone")) },
			func() error { return os.WriteFile(p("done"), text, 0o644) },
		} {
			if err := change(); err != nil {
				return fmt.Errorf("step %d: %w", i, err)
			}
		}
	}
	return nil
}

// observeOp is the process that looks on another mount at what produceOp makes.
// It returns an error if it sees a later change without an earlier one.
func observeOp(args []string) error {
	steps, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	for i := range steps {
		if err := observeStep(args[0], i); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
	}
	return nil
}

// observeStep looks until the last change of a step is there.
func observeStep(dir string, i int) error {
	p := func(name string) string { return filepath.Join(dir, fmt.Sprintf("%s-%d", name, i)) }
	for existed := false; ; {
		isDone := readsAs(p("done"), i) == nil
		old := readsAs(p("old"), i)
		existed = existed || old == nil
		renamed := readsAs(p("new"), i)
		switch {
		case existed && errors.Is(old, fs.ErrNotExist) && renamed != nil:
			return fmt.Errorf("the file has neither its old nor its new name: %w", renamed)
		case !isDone:
			continue
		case renamed != nil:
			return fmt.Errorf("the new name is not there after a later write: %w", renamed)
		case !errors.Is(old, fs.ErrNotExist):
			return fmt.Errorf("the old name is there after a later write (%v)", old)
		}
		if err := readsAs(p("gone"), i); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("the removed file is there after a later write (%v)", err)
		}
		return nil
	}
}

// readsAs returns an error unless the file holds the number.
func readsAs(file string, i int) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if string(b) != strconv.Itoa(i) {
		return fmt.Errorf("%s holds %q", file, b)
	}
	return nil
}
