package main

import (
	"runtime"
	"runtime/debug"
)

// release is the version of a package, which only who builds it knows: the
// linker sets it (-X main.release=1.2.3), and nobody else.
var release string

// version is the package's or what the Go tool recorded of the build: between
// releases the commit and its date; then the Go version and the platform,
// which problem reports need.
func version() string {
	v := "unknown"
	if release != "" {
		v = release
	} else if info, ok := debug.ReadBuildInfo(); ok {
		v = info.Main.Version
	}
	return v + " (" + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH + ")"
}
