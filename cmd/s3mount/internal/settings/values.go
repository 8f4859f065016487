package settings

import (
	"flag"
	"fmt"
	"math"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/go-units"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/metrics"
	"github.com/s3mount/s3mount/s3"
)

// Each of the types below is a flag.Value for one setting. Types with IsBoolFlag need no
// argument on the command line.

// String returns the value of a text option.
func String(p *string) flag.Value { return stringValue{p: p} }

// Switch returns the value of an option that is on or off.
func Switch(p *bool) flag.Value { return boolValue{p} }

// Count returns the value of a numeric option with a minimum.
func Count(p *int, min int) flag.Value { return countValue{p: p, min: min} }

// Duration returns the value of an option that is a duration.
func Duration(p *time.Duration) flag.Value { return durationValue{p} }

// stringValue is a text. If check is not nil, it checks the text.
type stringValue struct {
	p     *string
	check func(string) error
}

func (v stringValue) String() string { return *v.p }

func (v stringValue) Set(s string) error {
	if v.check != nil {
		if err := v.check(s); err != nil {
			return err
		}
	}
	*v.p = s
	return nil
}

// oneOf returns a check that allows only the given words.
func oneOf(words ...string) func(string) error {
	return func(s string) error {
		for _, w := range words {
			if s == w {
				return nil
			}
		}
		return &choiceError{words}
	}
}

// choiceError lists the words that an option allows.
type choiceError struct{ words []string }

func (e *choiceError) Error() string { return "want " + strings.Join(e.words, ", ") }

// boolValue is a switch. Without a value it is on.
type boolValue struct{ p *bool }

func (v boolValue) String() string   { return strconv.FormatBool(*v.p) }
func (v boolValue) IsBoolFlag() bool { return true }

func (v boolValue) Set(s string) error {
	b, err := parseBool(s)
	if err != nil {
		return err
	}
	*v.p = b
	return nil
}

func parseBool(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "1", "true", "yes", "on":
		return true, nil
	case "0", "false", "no", "off":
		return false, nil
	}
	return false, fmt.Errorf("want true or false")
}

// addressingValue is a switch that selects a place for the bucket in the URL.
type addressingValue struct {
	p     *addressing
	style addressing
}

func (v addressingValue) String() string   { return strconv.FormatBool(*v.p == v.style) }
func (v addressingValue) IsBoolFlag() bool { return true }

func (v addressingValue) Set(s string) error {
	on, err := parseBool(s)
	switch {
	case err != nil:
		return err
	case on:
		*v.p = v.style
	case *v.p == v.style:
		*v.p = addressingAuto
	}
	return nil
}

// ipValue is the version of IP that connections use.
type ipValue struct{ p *s3.IPFamily }

// ipVersions returns the words for the families of addresses.
func ipVersions() []string { return []string{s3.IPBoth: "any", s3.IPv4Only: "4", s3.IPv6Only: "6"} }

func (v ipValue) String() string { return ipVersions()[*v.p] }

func (v ipValue) Set(s string) error {
	i := slices.Index(ipVersions(), s)
	if i < 0 {
		return &choiceError{ipVersions()}
	}
	*v.p = s3.IPFamily(i)
	return nil
}

// durationValue is a duration in the syntax of Go (30s, 5m) or a number of seconds.
type durationValue struct{ p *time.Duration }

func (v durationValue) String() string {
	s := v.p.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func (v durationValue) Set(s string) error {
	d, err := time.ParseDuration(s)
	if err != nil {
		d, err = time.ParseDuration(s + "s")
	}
	if err != nil || d < 0 {
		return fmt.Errorf("want a time such as 30s, 5m or 1h")
	}
	*v.p = d
	return nil
}

// sizeValue is a number of bytes with an optional unit. K, M, G and T are
// powers of 1024 (as are KiB to TiB); kB to TB are powers of 1000.
type sizeValue struct{ p *int64 }

func (v sizeValue) String() string { return formatSize(*v.p) }

func (v sizeValue) Set(s string) error {
	n, err := parseSize(s)
	if err != nil {
		return err
	}
	*v.p = n
	return nil
}

// parseSize reads a size. The number is read exactly; go-units would round it to a
// float64. It reads all units as powers of 1024, or all as powers of 1000.
func parseSize(s string) (int64, error) {
	digits := strings.TrimRight(s, "BKMGTikmgtb")
	unitOf := units.RAMInBytes
	if len(s)-len(digits) == 2 { // kB, but neither K nor KiB
		unitOf = units.FromHumanSize
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	unit, unitErr := unitOf("1" + s[len(digits):])
	if err != nil || unitErr != nil || n < 0 || n > math.MaxInt64/unit {
		return 0, fmt.Errorf("want a size such as 512M or 2G")
	}
	return n * unit, nil
}

// formatSize formats n bytes exactly, in the syntax of parseSize.
func formatSize(n int64) string {
	const units = "KMGT"
	unit := ""
	for i := 0; i < len(units) && n != 0 && n%1024 == 0; i++ {
		n, unit = n/1024, units[i:i+1]
	}
	return strconv.FormatInt(n, 10) + unit
}

// countValue is a number that is at least min.
type countValue struct {
	p   *int
	min int
}

func (v countValue) String() string { return strconv.Itoa(*v.p) }

func (v countValue) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < v.min {
		return fmt.Errorf("want a number from %d up", v.min)
	}
	*v.p = n
	return nil
}

// modeValue is a set of permission bits in octal, as for chmod(1).
type modeValue struct{ p *uint32 }

func (v modeValue) String() string { return fmt.Sprintf("%04o", *v.p) }

func (v modeValue) Set(s string) error {
	m, err := parseMode(s)
	if err != nil {
		return err
	}
	*v.p = m
	return nil
}

func parseMode(s string) (uint32, error) {
	n, err := strconv.ParseUint(strings.TrimPrefix(s, "0o"), 8, 32) // 0o644 is the syntax of TOML
	if err != nil || n > 0o7777 {
		return 0, fmt.Errorf("want permission bits in octal, such as 0644")
	}
	return uint32(n), nil
}

// umaskValue removes bits from the modes of files and directories.
type umaskValue struct{ file, dir *uint32 }

func (umaskValue) String() string { return "" }

func (v umaskValue) Set(s string) error {
	m, err := parseMode(s)
	if err != nil {
		return err
	}
	*v.file, *v.dir = 0o666&^m, 0o777&^m
	return nil
}

// idValue is the number of a user or, if group is set, of a group. A name is looked up on this
// machine.
type idValue struct {
	p     *uint32
	group bool
}

func (v idValue) String() string { return strconv.FormatUint(uint64(*v.p), 10) }

func (v idValue) Set(s string) error {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		n, err = v.lookup(s)
	}
	// The kernel uses the highest number for "no id".
	if err != nil || n == math.MaxUint32 {
		return fmt.Errorf("want a number or a name that this machine knows")
	}
	*v.p = uint32(n)
	return nil
}

func (v idValue) lookup(name string) (uint64, error) {
	if v.group {
		g, err := user.LookupGroup(name)
		if err != nil {
			return 0, err
		}
		return strconv.ParseUint(g.Gid, 10, 32)
	}
	u, err := user.Lookup(name)
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(u.Uid, 10, 32)
}

// checkMetricsAddress checks the value of --metrics.
func checkMetricsAddress(text string) error {
	_, err := metrics.Address(text)
	return err
}
