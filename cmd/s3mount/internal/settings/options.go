package settings

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"

	"github.com/s3mount/s3mount/s3"
)

// envPrefix begins the environment variable of each option.
const envPrefix = "S3MOUNT_"

// The groups of options in the help text. Their names are in alphabetical order, which
// is the order in which the help text shows them.
const (
	groupBucket  = "Bucket and endpoint"
	groupFiles   = "Files and access"
	groupLimits  = "Limits"
	groupObjects = "Objects that the mount creates"
	groupProcess = "Process and logs"
)

// Option is one row of the table. Flags, environment variables, names of -o and the help
// text are derived from it.
type Option struct {
	Name  string // long name
	short string // "" or one letter
	// MountName is the name in -o and fstab if it differs from Name, because mount(8)
	// uses Name for something else.
	MountName string
	group     string
	// Preset describes a default that depends on the user or the machine. Without it
	// the default value is shown.
	Preset string
	Arg    string // name of the value in the help text; "" for a switch
	Usage  string // one line
	// Rare leaves the option out of the text of --help. The topic options has all of them.
	Rare bool
	// Value binds the option to its setting.
	Value func(*Settings) flag.Value
}

// bind returns the option's value in s. Setting it records the name in s.Given.
func (o Option) bind(s *Settings) flag.Value {
	return boundValue{o.Value(s), o.Name, s.Given}
}

// wrong adds a wrong value to the error about it. It leaves out -o lists, because they may
// contain a secret by mistake.
func (o Option) wrong(value string, err error) error {
	if o.Name == "o" {
		return err
	}
	return fmt.Errorf("%q: %w", value, err)
}

// boundValue records that an option was given.
type boundValue struct {
	flag.Value
	name  string
	given map[string]bool
}

// Set sets the option.
func (v boundValue) Set(text string) error {
	v.given[v.name] = true
	return v.Value.Set(text)
}

// IsBoolFlag reports to the flag package whether the option is a switch.
func (v boundValue) IsBoolFlag() bool { return isSwitch(v.Value) }

// Env returns the name of the option's environment variable.
func (o Option) Env() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(o.Name, "-", "_"))
}

// Options returns the table.
func Options() []Option {
	table := bucketOptions()
	table = append(table, fileOptions()...)
	table = append(table, limitOptions()...)
	table = append(table, objectOptions()...)
	return append(table, processOptions()...)
}

func bucketOptions() []Option {
	return []Option{
		{Name: "endpoint", group: groupBucket, Arg: "URL",
			Usage: "URL of a server other than AWS",
			Value: func(s *Settings) flag.Value { return stringValue{p: &s.S3.Endpoint} }},
		{Name: "region", group: groupBucket, Arg: "NAME",
			Usage: "region of the bucket; found automatically on AWS",
			Value: func(s *Settings) flag.Value { return stringValue{p: &s.S3.Region} }},
		{Name: "profile", group: groupBucket, Arg: "NAME",
			Usage: "profile of the AWS configuration files",
			Value: func(s *Settings) flag.Value { return stringValue{p: &s.Profile} }},
		{Name: "ca-file", Rare: true, group: groupBucket, Arg: "FILE",
			Usage: "also trust the certificate authorities in FILE (PEM)",
			Value: func(s *Settings) flag.Value { return stringValue{p: &s.CaFile} }},
		{Name: "cert-file", Rare: true, group: groupBucket, Arg: "FILE",
			Usage: "client certificate for servers that ask for one",
			Value: func(s *Settings) flag.Value { return stringValue{p: &s.CertFile} }},
		{Name: "key-file", Rare: true, group: groupBucket, Arg: "FILE",
			Usage: "private key of --cert-file",
			Value: func(s *Settings) flag.Value { return stringValue{p: &s.KeyFile} }},
		{Name: "dual-stack", Rare: true, group: groupBucket,
			Usage: "use the endpoints of AWS with IPv4 and IPv6",
			Value: func(s *Settings) flag.Value { return boolValue{&s.S3.DualStack} }},
		{Name: "fips", Rare: true, group: groupBucket,
			Usage: "use the endpoints of AWS with FIPS 140 modules",
			Value: func(s *Settings) flag.Value { return boolValue{&s.S3.FIPS} }},
		{Name: "accelerate", Rare: true, group: groupBucket,
			Usage: "use transfer acceleration of AWS",
			Value: func(s *Settings) flag.Value { return boolValue{&s.S3.Accelerate} }},
		{Name: "ip-version", Rare: true, group: groupBucket, Arg: "VERSION",
			Usage: "connect by IPv4 or IPv6 only: any, 4 or 6", Preset: "any",
			Value: func(s *Settings) flag.Value { return ipValue{&s.S3.IPFamily} }},
		{Name: "path-style", group: groupBucket,
			Usage: "always put the bucket into the path of the URL",
			Value: func(s *Settings) flag.Value { return addressingValue{&s.S3.Addressing, s3.AddressingPath} }},
		{Name: "virtual-host", group: groupBucket,
			Usage: "always put the bucket into the host name",
			Value: func(s *Settings) flag.Value { return addressingValue{&s.S3.Addressing, s3.AddressingVirtualHost} }},
		{Name: "server-profile", Rare: true, group: groupBucket, Arg: "KIND",
			Usage: "kind of server, such as aws, minio or ceph", Preset: s3.ServerAuto,
			Value: func(s *Settings) flag.Value { return stringValue{&s.S3.Server, oneOf(s3.ServerProfiles()...)} }},
		{Name: "no-list", Rare: true, group: groupBucket,
			Usage: "never list: for credentials that may not",
			Value: func(s *Settings) flag.Value { return boolValue{&s.FS.NoList} }},
		{Name: "no-sign-request", group: groupBucket,
			Usage: "use no credentials (public buckets)",
			Value: func(s *Settings) flag.Value { return boolValue{&s.Anonymous} }},
		{Name: "requester-pays", Rare: true, group: groupBucket,
			Usage: "agree to pay for requests to the bucket",
			Value: func(s *Settings) flag.Value { return boolValue{&s.S3.RequesterPays} }},
	}
}

func fileOptions() []Option {
	return []Option{
		{Name: "read-only", group: groupFiles,
			Usage: "refuse every change",
			Value: func(s *Settings) flag.Value { return boolValue{&s.FS.ReadOnly} }},
		{Name: "allow-other", group: groupFiles,
			Usage: "let other users use the mount",
			Value: func(s *Settings) flag.Value { return boolValue{&s.FS.AllowOther} }},
		{Name: "uid", group: groupFiles, Arg: "USER",
			Usage: "owner of objects that store none", Preset: "yours",
			Value: func(s *Settings) flag.Value { return idValue{p: &s.FS.UID} }},
		{Name: "gid", group: groupFiles, Arg: "GROUP",
			Usage: "group of objects that store none", Preset: "yours",
			Value: func(s *Settings) flag.Value { return idValue{p: &s.FS.GID, group: true} }},
		{Name: "file-mode", group: groupFiles, Arg: "MODE",
			Usage: "permissions of files that store none",
			Value: func(s *Settings) flag.Value { return modeValue{&s.FS.FileMode} }},
		{Name: "dir-mode", group: groupFiles, Arg: "MODE",
			Usage: "permissions of directories that store none",
			Value: func(s *Settings) flag.Value { return modeValue{&s.FS.DirMode} }},
		{Name: "umask", Rare: true, group: groupFiles, Arg: "MODE",
			Usage: "set --file-mode and --dir-mode by the bits they lack",
			Value: func(s *Settings) flag.Value { return umaskValue{&s.FS.FileMode, &s.FS.DirMode} }},
		{Name: "posix", group: groupFiles, Arg: "HOW",
			Usage: "store attributes on objects: auto, full or off",
			Value: func(s *Settings) flag.Value { return stringValue{&s.FS.Posix, oneOf("auto", "full", "off")} }},
		{Name: "xattr", Rare: true, group: groupFiles,
			Usage: "store extended attributes; makes ls -l slower",
			Value: func(s *Settings) flag.Value { return boolValue{&s.FS.Xattr} }},
		{Name: "conflict", Rare: true, group: groupFiles, Arg: "HOW",
			Usage: "on a lost race: error, overwrite or keep-both",
			Value: func(s *Settings) flag.Value {
				return stringValue{&s.FS.Conflict, oneOf("error", "overwrite", "keep-both")}
			}},
		{Name: "durability", group: groupFiles, Arg: "HOW",
			Usage: "close waits for s3, or for a local journal",
			Value: func(s *Settings) flag.Value { return stringValue{&s.FS.Durability, oneOf("s3", "journal")} }},
		{Name: "delete", Rare: true, group: groupFiles, Arg: "HOW",
			Usage: "gather (many files per request) or sync",
			Value: func(s *Settings) flag.Value { return stringValue{&s.FS.Delete, oneOf("gather", "sync")} }},
		{Name: "nonempty", Rare: true, group: groupFiles,
			Usage: "allow a mountpoint that contains files",
			Value: func(s *Settings) flag.Value { return boolValue{&s.Nonempty} }},
	}
}

func limitOptions() []Option {
	return []Option{
		{Name: "metadata-ttl", group: groupLimits, Arg: "TIME",
			Usage: "how long names and attributes may be stale",
			Value: func(s *Settings) flag.Value { return durationValue{&s.FS.MetadataTTL} }},
		{Name: "open-ttl", Rare: true, group: groupLimits, Arg: "TIME",
			Usage: "how long an open trusts the last check of a file",
			Value: func(s *Settings) flag.Value { return durationValue{&s.FS.OpenTTL} }},
		{Name: "memory-limit", group: groupLimits, Arg: "SIZE",
			Usage: "memory for names, inodes and data",
			Value: func(s *Settings) flag.Value { return sizeValue{&s.FS.MemoryLimit} }},
		{Name: OptionCache, group: groupLimits, Arg: "DIR",
			Usage: "cache file data on disk, in DIR",
			Value: func(s *Settings) flag.Value { return stringValue{p: &s.FS.CacheDir} }},
		{Name: "cache-size", group: groupLimits, Arg: "SIZE",
			Usage: "disk space for --cache, for all mounts of DIR",
			Value: func(s *Settings) flag.Value { return sizeValue{&s.FS.CacheSize} }},
		{Name: "cache-min-free", Rare: true, group: groupLimits, Arg: "SIZE",
			Usage: "space that --cache leaves free on the disk",
			Value: func(s *Settings) flag.Value { return sizeValue{&s.FS.CacheMinFree} }},
		{Name: "size", Rare: true, group: groupLimits, Arg: "SIZE",
			Usage: "total size that df shows; counts the objects", Preset: "1P, and nothing in use",
			Value: func(s *Settings) flag.Value { return sizeValue{&s.FS.Size} }},
		{Name: "quota", Rare: true, group: groupLimits, Arg: "SIZE",
			Usage: "refuse writes beyond SIZE in all objects", Preset: "none",
			Value: func(s *Settings) flag.Value { return sizeValue{&s.FS.Quota} }},
		{Name: "connections", Rare: true, group: groupLimits, Arg: "N",
			Usage: "parallel data requests, for reads and writes each",
			Value: func(s *Settings) flag.Value { return countValue{p: &s.FS.Connections, min: 1} }},
		{Name: "deadline", Rare: true, group: groupLimits, Arg: "TIME",
			Usage: "how long a failing request is retried",
			Value: func(s *Settings) flag.Value { return durationValue{&s.S3.Deadline} }},
		{Name: "state-dir", group: groupLimits, Arg: "DIR",
			Usage: "journal, recovery files and other state", Preset: "/var/lib/s3mount, or ~/.local/state/s3mount",
			Value: func(s *Settings) flag.Value { return stringValue{p: &s.FS.StateDir} }},
		{Name: "spool-dir", Rare: true, group: groupLimits, Arg: "DIR",
			Usage: "for written data that does not fit into memory",
			Value: func(s *Settings) flag.Value { return stringValue{p: &s.FS.SpoolDir} }},
	}
}

// Names of options that other code refers to.
const (
	optionConfig       = "config"
	OptionCache        = "cache"
	OptionDrainTimeout = "drain-timeout"
)

func processOptions() []Option {
	return []Option{
		{Name: optionConfig, group: groupProcess, Arg: "FILE",
			Usage: "read options from FILE; see s3mount help config",
			Value: func(s *Settings) flag.Value { return stringValue{p: &s.config} }},
		{Name: "foreground", short: "f", group: groupProcess,
			Usage: "stay in the foreground and log to stderr",
			Value: func(s *Settings) flag.Value { return boolValue{&s.Foreground} }},
		{Name: OptionDrainTimeout, group: groupProcess, Arg: "TIME",
			Usage: "how long SIGTERM waits for S3; 0 means for ever",
			Value: func(s *Settings) flag.Value { return durationValue{&s.DrainTimeout} }},
		{Name: "user", MountName: "setuid", group: groupProcess, Arg: "USER",
			Usage: "mount as root, then become USER",
			Value: func(s *Settings) flag.Value { return accountValue{&s.Account} }},
		{Name: "log-file", group: groupProcess, Arg: "FILE",
			Usage: "log to FILE instead of the system log; SIGHUP reopens it",
			Value: func(s *Settings) flag.Value { return stringValue{p: &s.LogFile} }},
		{Name: "log-level", group: groupProcess, Arg: "LEVEL",
			Usage: "debug, info, warn or error",
			Value: func(s *Settings) flag.Value {
				return stringValue{&s.LogLevel, oneOf("debug", "info", "warn", "error")}
			}},
		{Name: "log-format", group: groupProcess, Arg: "FORMAT",
			Usage: "text or json",
			Value: func(s *Settings) flag.Value { return stringValue{&s.LogFormat, oneOf("text", "json")} }},
		{Name: "metrics", Rare: true, group: groupProcess, Arg: "ADDR",
			Usage: "serve Prometheus metrics at a local port, or host:port",
			Value: func(s *Settings) flag.Value { return stringValue{&s.Metrics, checkMetricsAddress} }},
		{Name: "debug", group: groupProcess,
			Usage: "log every FUSE and S3 request",
			Value: func(s *Settings) flag.Value { return boolValue{&s.Debug} }},
		{Name: "o", group: groupProcess, Arg: "LIST",
			Usage: "options in the format of mount(8): name,name=value,...",
			Value: func(s *Settings) flag.Value { return mountListValue{s} }},
	}
}

// findMountOption finds an option by its name in -o.
func findMountOption(table []Option, name string) (Option, bool) {
	for _, o := range table {
		if o.MountName == name {
			return o, true
		}
	}
	o, ok := FindOption(table, name)
	return o, ok && o.MountName == "" && o.Name != "o"
}

// FindOption finds an option by its name, with - or _ between words.
func FindOption(table []Option, name string) (Option, bool) {
	name = strings.ReplaceAll(name, "_", "-")
	for _, o := range table {
		if o.Name == name || o.short != "" && o.short == name {
			return o, true
		}
	}
	return Option{}, false
}

// optionGroup holds the options under one heading.
type optionGroup struct {
	Name    string
	Options []Option
}

// OptionGroups returns the table by groups, in the order of the table.
func OptionGroups() []optionGroup {
	var groups []optionGroup
	for _, o := range Options() {
		i := slices.IndexFunc(groups, func(g optionGroup) bool { return g.Name == o.group })
		if i < 0 {
			i = len(groups)
			groups = append(groups, optionGroup{Name: o.group})
		}
		groups[i].Options = append(groups[i].Options, o)
	}
	return groups
}

// Flags returns the names of the option on the command line.
func (o Option) Flags() []string {
	long := "--" + o.Name
	if len(o.Name) == 1 {
		long = "-" + o.Name
	}
	if o.short == "" {
		return []string{long}
	}
	return []string{long, "-" + o.short}
}

// DescribesObjects reports whether the option is one for the objects that the mount creates.
func (o Option) DescribesObjects() bool { return o.group == groupObjects }

// DefaultText returns the default for the documentation. It is the same on every
// machine, and empty if there is none.
func (o Option) DefaultText() string {
	switch {
	case o.Preset != "":
		return o.Preset
	case o.Arg == "":
		return ""
	}
	return o.Value(Defaults()).String()
}

// Choices returns the values that an option allows, or nil if it allows any.
func (o Option) Choices() []string {
	var e *choiceError
	if errors.As(o.Value(Defaults()).Set("\x00"), &e) {
		return e.words
	}
	return nil
}
