package main

import (
	"errors"
	"flag"
	"slices"
	"strings"

	"github.com/s3mount/s3mount/s3"
)

// envPrefix begins the environment variable of each option.
const envPrefix = "S3MOUNT_"

// The groups of options in the help text. The cli package shows them in
// alphabetical order.
const (
	groupBucket  = "Bucket and endpoint"
	groupFiles   = "Files and access"
	groupLimits  = "Limits"
	groupProcess = "Process and logs"
)

// option is one row of the table that flags, environment variables, -o names
// and the help text are derived from.
type option struct {
	name  string // long name
	short string // "" or one letter
	// mountName is the name in -o and fstab, "" if it is name; mount(8) has a
	// meaning of its own for some.
	mountName string
	group     string
	// preset is the default in words, where it depends on who mounts; options
	// without it show their value.
	preset string
	arg    string // what the value is called; "" for a switch
	usage  string // one line
	// value binds the option to its setting.
	value func(*settings) flag.Value
}

// bind gives the option's value in s. What sets it is remembered in s.given.
func (o option) bind(s *settings) flag.Value {
	return boundValue{o.value(s), o.name, s.given}
}

// boundValue notes that an option was given.
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

// IsBoolFlag tells the flag package whether the option is a switch.
func (v boundValue) IsBoolFlag() bool { return isSwitch(v.Value) }

// env is the name of the option's environment variable.
func (o option) env() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(o.name, "-", "_"))
}

// options is the table, in the order of the settings.
func options() []option {
	table := bucketOptions()
	table = append(table, fileOptions()...)
	table = append(table, limitOptions()...)
	return append(table, processOptions()...)
}

func bucketOptions() []option {
	return []option{
		{name: "endpoint", group: groupBucket, arg: "URL",
			usage: "server to use in place of AWS",
			value: func(s *settings) flag.Value { return stringValue{p: &s.s3.Endpoint} }},
		{name: "region", group: groupBucket, arg: "NAME",
			usage: "region of the bucket; AWS tells it by itself",
			value: func(s *settings) flag.Value { return stringValue{p: &s.s3.Region} }},
		{name: "profile", group: groupBucket, arg: "NAME",
			usage: "profile of the AWS configuration files",
			value: func(s *settings) flag.Value { return stringValue{p: &s.profile} }},
		{name: "ca-file", group: groupBucket, arg: "FILE",
			usage: "trust the certificate authorities in FILE (PEM), too",
			value: func(s *settings) flag.Value { return stringValue{p: &s.caFile} }},
		{name: "path-style", group: groupBucket,
			usage: "always put the bucket into the path of the URL",
			value: func(s *settings) flag.Value { return addressingValue{&s.s3.Addressing, s3.AddressingPath} }},
		{name: "virtual-host", group: groupBucket,
			usage: "always put the bucket into the host name",
			value: func(s *settings) flag.Value { return addressingValue{&s.s3.Addressing, s3.AddressingVirtualHost} }},
		{name: "server-profile", group: groupBucket, arg: "KIND",
			usage: "kind of server, such as aws, minio or ceph", preset: s3.ServerAuto,
			value: func(s *settings) flag.Value { return stringValue{&s.s3.Server, oneOf(s3.ServerProfiles()...)} }},
		{name: "no-sign-request", group: groupBucket,
			usage: "use no credentials (public buckets)",
			value: func(s *settings) flag.Value { return boolValue{&s.anonymous} }},
		{name: "requester-pays", group: groupBucket,
			usage: "agree to pay for requests to the bucket",
			value: func(s *settings) flag.Value { return boolValue{&s.s3.RequesterPays} }},
	}
}

func fileOptions() []option {
	return []option{
		{name: "read-only", group: groupFiles,
			usage: "refuse every change",
			value: func(s *settings) flag.Value { return boolValue{&s.fs.ReadOnly} }},
		{name: "allow-other", group: groupFiles,
			usage: "let other users in",
			value: func(s *settings) flag.Value { return boolValue{&s.fs.AllowOther} }},
		{name: "uid", group: groupFiles, arg: "USER",
			usage: "owner where S3 knows of none", preset: "yours",
			value: func(s *settings) flag.Value { return idValue{p: &s.fs.UID} }},
		{name: "gid", group: groupFiles, arg: "GROUP",
			usage: "group where S3 knows of none", preset: "yours",
			value: func(s *settings) flag.Value { return idValue{p: &s.fs.GID, group: true} }},
		{name: "file-mode", group: groupFiles, arg: "MODE",
			usage: "permissions of files where S3 knows of none",
			value: func(s *settings) flag.Value { return modeValue{&s.fs.FileMode} }},
		{name: "dir-mode", group: groupFiles, arg: "MODE",
			usage: "permissions of directories where S3 knows of none",
			value: func(s *settings) flag.Value { return modeValue{&s.fs.DirMode} }},
		{name: "umask", group: groupFiles, arg: "MODE",
			usage: "set --file-mode and --dir-mode by the bits that they lack",
			value: func(s *settings) flag.Value { return umaskValue{&s.fs.FileMode, &s.fs.DirMode} }},
		{name: "posix", group: groupFiles, arg: "HOW",
			usage: "attributes on objects: auto, full or off",
			value: func(s *settings) flag.Value { return stringValue{&s.fs.Posix, oneOf("auto", "full", "off")} }},
		{name: "xattr", group: groupFiles,
			usage: "keep extended attributes; ls -l costs more",
			value: func(s *settings) flag.Value { return boolValue{&s.fs.Xattr} }},
		{name: "conflict", group: groupFiles, arg: "HOW",
			usage: "lost races: error, overwrite or keep-both",
			value: func(s *settings) flag.Value {
				return stringValue{&s.fs.Conflict, oneOf("error", "overwrite", "keep-both")}
			}},
		{name: "durability", group: groupFiles, arg: "HOW",
			usage: "close waits for: s3, or a local journal",
			value: func(s *settings) flag.Value { return stringValue{&s.fs.Durability, oneOf("s3", "journal")} }},
		{name: "delete", group: groupFiles, arg: "HOW",
			usage: "gather (many files in one request) or sync",
			value: func(s *settings) flag.Value { return stringValue{&s.fs.Delete, oneOf("gather", "sync")} }},
		{name: "nonempty", group: groupFiles,
			usage: "allow a mountpoint that has files in it",
			value: func(s *settings) flag.Value { return boolValue{&s.nonempty} }},
	}
}

func limitOptions() []option {
	return []option{
		{name: "metadata-ttl", group: groupLimits, arg: "TIME",
			usage: "how long names and attributes may be stale",
			value: func(s *settings) flag.Value { return durationValue{&s.fs.MetadataTTL} }},
		{name: "memory-limit", group: groupLimits, arg: "SIZE",
			usage: "memory for names, inodes and data",
			value: func(s *settings) flag.Value { return sizeValue{&s.fs.MemoryLimit} }},
		{name: optionCache, group: groupLimits, arg: "DIR",
			usage: "keep what was read on disk, in DIR",
			value: func(s *settings) flag.Value { return stringValue{p: &s.fs.CacheDir} }},
		{name: "cache-size", group: groupLimits, arg: "SIZE",
			usage: "disk space for --cache, over all mounts of DIR",
			value: func(s *settings) flag.Value { return sizeValue{&s.fs.CacheSize} }},
		{name: "cache-min-free", group: groupLimits, arg: "SIZE",
			usage: "what --cache leaves free on the disk",
			value: func(s *settings) flag.Value { return sizeValue{&s.fs.CacheMinFree} }},
		{name: "connections", group: groupLimits, arg: "N",
			usage: "parallel data requests of reads and of writes each",
			value: func(s *settings) flag.Value { return countValue{p: &s.fs.Connections, min: 1} }},
		{name: "deadline", group: groupLimits, arg: "TIME",
			usage: "how long a request that fails is tried again",
			value: func(s *settings) flag.Value { return durationValue{&s.s3.Deadline} }},
		{name: "state-dir", group: groupLimits, arg: "DIR",
			usage: "where bytes are kept that S3 refused", preset: "/var/lib/s3mount, or ~/.local/state/s3mount",
			value: func(s *settings) flag.Value { return stringValue{p: &s.fs.StateDir} }},
		{name: "spool-dir", group: groupLimits, arg: "DIR",
			usage: "where written bytes wait that memory has no room for",
			value: func(s *settings) flag.Value { return stringValue{p: &s.fs.SpoolDir} }},
	}
}

// Options that the code knows by name.
const (
	optionConfig       = "config"
	optionCache        = "cache"
	optionDrainTimeout = "drain-timeout"
)

func processOptions() []option {
	return []option{
		{name: optionConfig, group: groupProcess, arg: "FILE",
			usage: "read options from FILE; see s3mount help config",
			value: func(s *settings) flag.Value { return stringValue{p: &s.config} }},
		{name: "foreground", short: "f", group: groupProcess,
			usage: "do not go to the background; log to stderr",
			value: func(s *settings) flag.Value { return boolValue{&s.foreground} }},
		{name: optionDrainTimeout, group: groupProcess, arg: "TIME",
			usage: "how long SIGTERM waits for S3; 0 is for ever",
			value: func(s *settings) flag.Value { return durationValue{&s.drainTimeout} }},
		{name: "user", mountName: "setuid", group: groupProcess, arg: "USER",
			usage: "mount as root, then become USER",
			value: func(s *settings) flag.Value { return accountValue{&s.account} }},
		{name: "log-file", group: groupProcess, arg: "FILE",
			usage: "log to FILE, not to the system log; SIGHUP opens it anew",
			value: func(s *settings) flag.Value { return stringValue{p: &s.logFile} }},
		{name: "log-level", group: groupProcess, arg: "LEVEL",
			usage: "debug, info, warn or error",
			value: func(s *settings) flag.Value {
				return stringValue{&s.logLevel, oneOf("debug", "info", "warn", "error")}
			}},
		{name: "log-format", group: groupProcess, arg: "FORMAT",
			usage: "text or json",
			value: func(s *settings) flag.Value { return stringValue{&s.logFormat, oneOf("text", "json")} }},
		{name: "metrics", group: groupProcess, arg: "ADDR",
			usage: "answer Prometheus at a local port, or host:port",
			value: func(s *settings) flag.Value { return stringValue{&s.metrics, checkMetricsAddress} }},
		{name: "debug", group: groupProcess,
			usage: "log every FUSE and S3 request",
			value: func(s *settings) flag.Value { return boolValue{&s.debug} }},
		{name: "o", group: groupProcess, arg: "LIST",
			usage: "options as mount(8) writes them: name,name=value,...",
			value: func(s *settings) flag.Value { return mountListValue{s} }},
	}
}

// findMountOption finds an option by its name in -o.
func findMountOption(table []option, name string) (option, bool) {
	for _, o := range table {
		if o.mountName == name {
			return o, true
		}
	}
	o, ok := findOption(table, name)
	return o, ok && o.mountName == "" && o.name != "o"
}

// findOption finds an option by its name, with - or _ between words.
func findOption(table []option, name string) (option, bool) {
	name = strings.ReplaceAll(name, "_", "-")
	for _, o := range table {
		if o.name == name || o.short != "" && o.short == name {
			return o, true
		}
	}
	return option{}, false
}

// optionGroup is the options under one heading.
type optionGroup struct {
	name    string
	options []option
}

// optionGroups gives the table by groups, in the order of the table.
func optionGroups() []optionGroup {
	var groups []optionGroup
	for _, o := range options() {
		i := slices.IndexFunc(groups, func(g optionGroup) bool { return g.name == o.group })
		if i < 0 {
			i = len(groups)
			groups = append(groups, optionGroup{name: o.group})
		}
		groups[i].options = append(groups[i].options, o)
	}
	return groups
}

// flags are the names of the option as they stand on the command line.
func (o option) flags() []string {
	long := "--" + o.name
	if len(o.name) == 1 {
		long = "-" + o.name
	}
	if o.short == "" {
		return []string{long}
	}
	return []string{long, "-" + o.short}
}

// defaultText is the default for documentation, the same on every machine; ""
// is none.
func (o option) defaultText() string {
	switch {
	case o.preset != "":
		return o.preset
	case o.arg == "":
		return ""
	}
	return o.value(defaultSettings()).String()
}

// choices are the words that an option takes; nil if it takes others, too.
func (o option) choices() []string {
	var e *choiceError
	if errors.As(o.value(defaultSettings()).Set("\x00"), &e) {
		return e.words
	}
	return nil
}
