package main

import (
	"runtime"
	"runtime/debug"
)

// release is the version of a released package. The linker sets it with
// -X main.release=1.2.3.
var release string

// version returns the version, the Go version and the platform, for problem reports.
// Without a release, the version is the one that the Go tool derived from the commit.
func version() string {
	v := "unknown"
	if release != "" {
		v = release
	} else if info, ok := debug.ReadBuildInfo(); ok {
		v = info.Main.Version
	}
	return v + " (" + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH + ")"
}
