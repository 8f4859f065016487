package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/integration/harness"
)

// machine describes the machine of the measurement.
func machine() string {
	var u unix.Utsname
	kernel := "unknown kernel"
	if unix.Uname(&u) == nil {
		kernel = "Linux " + unix.ByteSliceToString(u.Release[:])
	}
	var si unix.Sysinfo_t
	memory := ""
	if unix.Sysinfo(&si) == nil {
		memory = fmt.Sprintf(", %d GiB of memory", (uint64(si.Totalram)*uint64(si.Unit)+gib/2)>>30)
	}
	return fmt.Sprintf("%d processors (%s)%s, %s, %s", runtime.NumCPU(), processor(), memory, kernel, runtime.Version())
}

// processor returns the model of the first processor.
func processor() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(b)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// versions returns the first line of the version output of each program.
func (b *bench) versions() (out []string) {
	for _, t := range b.tools {
		if b.binaries[t.name] == "" || t.name == toolJournal {
			continue
		}
		arg := "--version"
		if t.name == "rclone" {
			arg = "version"
		}
		if text, err := harness.Output(b.binaries[t.name], arg); err == nil {
			first, _, _ := strings.Cut(text, "\n")
			out = append(out, first)
		}
	}
	return out
}
