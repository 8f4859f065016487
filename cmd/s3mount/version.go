package main

import (
	"runtime"
	"runtime/debug"
)

// version is what the Go tool recorded of the build: the release, or between
// releases the commit and its date; then the Go version and the platform,
// which problem reports need.
func version() string {
	v := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		v = info.Main.Version
	}
	return v + " (" + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH + ")"
}
