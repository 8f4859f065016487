package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
)

// works are the pieces of work that no common program does; scripts call them
// as $BENCH -work NAME ARGS.
var works = map[string]func(args []string) error{
	"randread":  randomReads,
	"readall":   readAll,
	"statpaths": statPaths,
	"write":     writeFile,
	"create":    createFiles,
	"raw":       runRaw,
	"fill":      fillDirectory,
}

func work(name string, args []string) error {
	w, ok := works[name]
	if !ok {
		return fmt.Errorf("no work is called %q", name)
	}
	return w(args)
}

// inParallel calls do for 0 to n-1 from several goroutines.
func inParallel(threads, n int, do func(i int) error) error {
	next := make(chan int)
	errs := make([]error, threads)
	var wg sync.WaitGroup
	for t := range threads {
		wg.Go(func() {
			for i := range next {
				errs[t] = errors.Join(errs[t], do(i))
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
	return errors.Join(errs...)
}

const (
	randomCount   = 400
	randomThreads = 4
)

// randomOffsets are places in a file, the same for everybody.
func randomOffsets(size int64) []int64 {
	r := rand.New(rand.NewPCG(1, 2))
	offs := make([]int64, randomCount)
	for i := range offs {
		offs[i] = r.Int64N(size-smallSize) &^ (smallSize - 1)
	}
	return offs
}

// randomReads reads 400 times 4 KiB at random places, in 4 threads.
func randomReads(args []string) error {
	f, err := os.Open(args[0])
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	offs := randomOffsets(st.Size())
	return inParallel(randomThreads, len(offs), func(i int) error {
		_, err := f.ReadAt(make([]byte, smallSize), offs[i])
		return err
	})
}

// readAll reads every file of a directory, in 16 threads.
func readAll(args []string) error {
	names, err := os.ReadDir(args[0])
	if err != nil {
		return err
	}
	return inParallel(16, len(names), func(i int) error {
		_, err := os.ReadFile(filepath.Join(args[0], names[i].Name()))
		return err
	})
}

// statPaths stats 200 files of the so many of seedTree by paths that nothing has listed.
func statPaths(args []string) error {
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	paths := treePaths(n, 221)
	r := rand.New(rand.NewPCG(3, 4))
	r.Shuffle(len(paths), func(i, j int) { paths[i], paths[j] = paths[j], paths[i] })

	for _, p := range paths[:min(200, n)] {
		if _, err := os.Stat(filepath.Join(filepath.Dir(args[0]), p)); err != nil {
			return err
		}
	}
	return nil
}

// writeFile writes so many bytes in pieces of 1 MiB and closes. It opens for
// writing only, as cp, dd and rsync do.
func writeFile(args []string) error {
	size, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(args[0], os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	piece := make([]byte, mib)
	_, _ = rand.NewChaCha8([32]byte{9}).Read(piece) // never fails
	for n := int64(0); n < size; n += mib {
		if _, err := f.Write(piece); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return f.Close()
}

// createFiles makes so many small files in so many threads.
func createFiles(args []string) error {
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	threads, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	body := make([]byte, smallSize)
	return inParallel(threads, n, func(i int) error {
		return os.WriteFile(filepath.Join(args[0], fmt.Sprintf("f%04d", i)), body, 0o644)
	})
}
