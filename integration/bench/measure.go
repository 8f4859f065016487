package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/s3mount/s3mount/integration/harness"
)

// result is one line of the table.
type result struct {
	ms       int // of the link
	row      string
	tool     string
	seconds  float64
	held     float64 // time until S3 had all data; 0 if nothing was written or S3 had it when the work was done
	requests harness.Counts
	cpu      float64
	rss      int64
	bytes    int64 // bytes that the application read or wrote; 0 if the row does not define them
	moved    int64 // bytes of bodies through the proxy in both directions; 0 without a proxy
	note     string
	err      string
	late     bool // the work exceeded the time limit
	skipped  bool // the work was not tried; err is the reason
}

// ticksPerSecond is the unit of the times in /proc/PID/stat. It is 100 on every
// architecture of Linux (USER_HZ, proc(5)).
const ticksPerSecond = 100

// cpuSeconds returns the user and system time of a process so far.
func cpuSeconds(pid int) (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("read the process's times: %w", err)
	}
	_, rest, _ := strings.Cut(string(b), ") ") // the name may contain spaces
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0, fmt.Errorf("read the process's times: %q", b)
	}
	user, err1 := strconv.ParseFloat(f[11], 64)
	system, err2 := strconv.ParseFloat(f[12], 64)
	if err1 != nil || err2 != nil {
		return 0, fmt.Errorf("read the process's times: %q", b)
	}
	return (user + system) / ticksPerSecond, nil
}

// resetPeak resets the peak resident set of a process (proc(5), clear_refs).
func resetPeak(pid int) {
	// If it cannot be reset, the result is the peak since the start, which is at least
	// as large.
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
}

// accessLog counts the requests in the access log of versitygw since it was opened,
// without the requests of the bench.
type accessLog struct{ f *os.File }

func openAccessLog(path string) (*accessLog, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the access log: %w", err)
	}
	a := &accessLog{f}
	_, err = a.counts()
	return a, err
}

// accessKinds maps operations of versitygw to kinds of the harness.
var accessKinds = map[string]harness.Kind{
	"ListObjectsV2": harness.List, "ListObjects": harness.List, "HeadObject": harness.Head, "GetObject": harness.Get,
	"PutObject": harness.Put, "CopyObject": harness.Copy, "DeleteObject": harness.Delete, "DeleteObjects": harness.DeleteMulti,
	"CreateMultipartUpload": harness.Create, "UploadPart": harness.Part, "UploadPartCopy": harness.PartCopy,
	"CompleteMultipartUpload": harness.Complete, "AbortMultipartUpload": harness.Abort, "ListParts": harness.ListParts,
	"ListMultipartUploads": harness.ListUploads, "HeadBucket": harness.HeadBucket,
}

// counts returns the requests since the last call.
func (a *accessLog) counts() (harness.Counts, error) {
	time.Sleep(50 * time.Millisecond) // the server writes a line after it has answered
	c := harness.Counts{}
	sc := bufio.NewScanner(a.f)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		line := sc.Text()
		_, op, ok := strings.Cut(line, " s3_")
		if !ok || strings.Contains(line, refereeAgent) {
			continue
		}
		op, _, _ = strings.Cut(op, " ")
		kind, ok := accessKinds[op]
		if !ok {
			kind = harness.Other
		}
		c[kind]++
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("read the access log: %w", err)
	}
	return c, nil
}

// refereeAgent is part of the user agent of the client that fills and checks the
// buckets.
const refereeAgent = " aws-sdk-go-v2/"
