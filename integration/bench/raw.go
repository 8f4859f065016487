package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/s3mount/s3mount/integration/harness"
	"github.com/s3mount/s3mount/s3"
)

const (
	// rawPart is the size of a range or part. 8 MiB was the fastest on the loopback
	// interface and on a link of 20 ms.
	rawPart = 8 * mib
	// rawConnections is the default of --connections.
	rawConnections = 16
)

// runRaw does the work of a row with package s3 in a separate process, so that its CPU
// time does not include the proxy. The arguments are the row, the endpoint, the bucket
// and the scale. It prints the seconds and the largest resident set in bytes.
func runRaw(args []string) error {
	if len(args) != 4 {
		return errors.New("raw needs a row, an endpoint, a bucket and a scale")
	}
	i := slices.IndexFunc(rows(), func(r row) bool { return r.name == args[0] && r.raw != nil })
	if i < 0 {
		return fmt.Errorf("no row called %q has a raw form", args[0])
	}
	scale, err := strconv.ParseFloat(args[3], 64)
	if err != nil {
		return fmt.Errorf("read the scale: %w", err)
	}
	c, err := s3.New(s3.Options{
		Endpoint: args[1], Region: harness.Region,
		Credentials: s3.StaticCredentials(harness.AccessKey, harness.SecretKey, ""),
	})
	if err != nil {
		return fmt.Errorf("make the raw client: %w", err)
	}
	defer c.Close()
	start := time.Now()
	if err := rows()[i].raw(context.Background(), rawRun{c, params{scale}, args[2]}); err != nil {
		return err
	}
	took := time.Since(start).Seconds()
	// getrusage(2) would include the memory of the parent before the exec.
	peak, err := harness.MemoryPeak(os.Getpid())
	if err != nil {
		return err
	}
	fmt.Println(took, peak)
	return nil
}

// read reads a range into p.
func (r rawRun) read(ctx context.Context, key string, off int64, p []byte) error {
	_, n, err := r.GetInto(ctx, &s3.GetInput{Bucket: r.bucket, Key: key, Range: s3.Bytes(off, off+int64(len(p))-1)}, p)
	if err != nil {
		return fmt.Errorf("read a range: %w", err)
	}
	if n != len(p) {
		return fmt.Errorf("read a range: %w", io.ErrUnexpectedEOF)
	}
	return nil
}

// rawRead reads big0 to big(files-1) with ranged GETs into memory.
func rawRead(files int) func(context.Context, rawRun) error {
	return func(ctx context.Context, r rawRun) error {
		size := r.size(int64(gib / files))
		parts := int((size + rawPart - 1) / rawPart)
		free := make(chan []byte, rawConnections)
		for range rawConnections {
			free <- make([]byte, rawPart)
		}
		return inParallel(rawConnections, files*parts, func(i int) error {
			off := int64(i%parts) * rawPart
			buf := <-free
			defer func() { free <- buf }()
			return r.read(ctx, fmt.Sprintf("big%d", i/parts), off, buf[:min(rawPart, size-off)])
		})
	}
}

// rawFirst reads the first bytes of large files, one after the other.
func rawFirst(files int) func(context.Context, rawRun) error {
	return func(ctx context.Context, r rawRun) error {
		return inParallel(1, files, func(i int) error {
			return r.read(ctx, fmt.Sprintf("big%d", i), 0, make([]byte, smallSize))
		})
	}
}

// rawRandom reads at the same offsets as randomReads.
func rawRandom(ctx context.Context, r rawRun) error {
	offs := randomOffsets(r.size(gib))
	return inParallel(randomThreads, len(offs), func(i int) error {
		return r.read(ctx, "big0", offs[i], make([]byte, smallSize))
	})
}

// rawSmall reads small files.
func rawSmall(files, threads int) func(context.Context, rawRun) error {
	return func(ctx context.Context, r rawRun) error {
		return inParallel(threads, r.n(files), func(i int) error {
			return r.read(ctx, fmt.Sprintf("small/f%04d", i), 0, make([]byte, smallSize))
		})
	}
}

// rawCreate uploads small files.
func rawCreate(files, threads int) func(context.Context, rawRun) error {
	return func(ctx context.Context, r rawRun) error {
		body := make([]byte, smallSize)
		return inParallel(threads, r.n(files), func(i int) error {
			_, err := r.Put(ctx, &s3.PutInput{Bucket: r.bucket, Key: fmt.Sprintf("c/f%04d", i), Body: bytes.NewReader(body), Size: smallSize})
			return err
		})
	}
}

// rawWrite writes 1 GiB in the given number of files by multipart uploads.
func rawWrite(files int) func(context.Context, rawRun) error {
	return func(ctx context.Context, r rawRun) error {
		body := make([]byte, rawPart)
		_, _ = rand.NewChaCha8([32]byte{9}).Read(body) // never fails
		return inParallel(files, files, func(i int) error {
			return r.upload(ctx, fmt.Sprintf("out%d", i), r.size(int64(gib/files)), body, rawConnections/files)
		})
	}
}

// upload writes size bytes that repeat body.
func (r rawRun) upload(ctx context.Context, key string, size int64, body []byte, threads int) error {
	upload, err := r.CreateUpload(ctx, &s3.CreateUploadInput{Bucket: r.bucket, Key: key, NoCopies: true})
	if err != nil {
		return fmt.Errorf("create the upload: %w", err)
	}
	parts := make([]s3.Part, (size+rawPart-1)/rawPart)
	err = inParallel(threads, len(parts), func(i int) error {
		n := min(rawPart, size-int64(i)*rawPart)
		p, err := r.UploadPart(ctx, &s3.UploadPartInput{Upload: upload, PartNumber: i + 1, Body: bytes.NewReader(body[:n]), Size: n})
		if err == nil {
			parts[i] = *p
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("upload the parts: %w", err)
	}
	if _, err := r.CompleteUpload(ctx, &s3.CompleteUploadInput{Upload: upload, Parts: parts}); err != nil {
		return fmt.Errorf("complete the upload: %w", err)
	}
	return nil
}
