package settings

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

// Option is one row of the table that flags, environment variables, -o names
// and the help text are derived from.
type Option struct {
	Name  string // long name
	short string // "" or one letter
	// mountName is the name in -o and fstab, "" if it is name; mount(8) has a
	// meaning of its own for some.
	MountName string
	group     string
	// preset is the default in words, where it depends on who mounts; options
	// without it show their value.
	Preset string
	Arg    string // what the value is called; "" for a switch
	Usage  string // one line
	// value binds the option to its setting.
	Value func(*Settings) flag.Value
}

// bind returns the option's value in s. s.Given remembers that it was set.
func (o Option) bind(s *Settings) flag.Value {
	return boundValue{o.Value(s), o.Name, s.Given}
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

// IsBoolFlag reports to the flag package whether the option is a switch.
func (v boundValue) IsBoolFlag() bool { return isSwitch(v.Value) }

// Env is the name of the option's environment variable.
func (o Option) Env() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(o.Name, "-", "_"))
}

// Options is the table, in the order of the settings.
func Options() []Option {
	table := bucketOptions()
	table = append(table, fileOptions()...)
	table = append(table, limitOptions()...)
	return append(table, processOptions()...)
}

func bucketOptions() []Option {
	return []Option{
		{Name: "endpoint", group: groupBucket, Arg: "URL",
			Usage: "server to use in place of AWS",
			Value: func(s *Settings) flag.Value { return stringValue{p: &s.S3.Endpoint} }},
		{Name: "region", group: groupBucket, Arg: "NAME",
			Usage: "region of the bucket; AWS tells it by itself",
			Value: func(s *Settings) flag.Value { return stringValue{p: &s.S3.Region} }},
		{Name: "profile", group: groupBucket, Arg: "NAME",
			Usage: "profile of the AWS configuration files",
			Value: func(s *Settings) flag.Value { return stringValue{p: &s.Profile} }},
		{Name: "ca-file", group: groupBucket, Arg: "FILE",
			Usage: "trust the certificate authorities in FILE (PEM), too",
			Value: func(s *Settings) flag.Value { return stringValue{p: &s.CaFile} }},
		{Name: "path-style", group: groupBucket,
			Usage: "always put the bucket into the path of the URL",
			Value: func(s *Settings) flag.Value { return addressingValue{&s.S3.Addressing, s3.AddressingPath} }},
		{Name: "virtual-host", group: groupBucket,
			Usage: "always put the bucket into the host name",
			Value: func(s *Settings) flag.Value { return addressingValue{&s.S3.Addressing, s3.AddressingVirtualHost} }},
		{Name: "server-profile", group: groupBucket, Arg: "KIND",
			Usage: "kind of server, such as aws, minio or ceph", Preset: s3.ServerAuto,
			Value: func(s *Settings) flag.Value { return stringValue{&s.S3.Server, oneOf(s3.ServerProfiles()...)} }},
		{Name: "no-sign-request", group: groupBucket,
			Usage: "use no credentials (public buckets)",
			Value: func(s *Settings) flag.Value { return boolValue{&s.Anonymous} }},
		{Name: "requester-pays", group: groupBucket,
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
			Usage: "let other users in",
			Value: func(s *Settings) flag.Value { return boolValue{&s.FS.AllowOther} }},
		{Name: "uid", group: groupFiles, Arg: "USER",
			Usage: "owner where S3 knows of none", Preset: "yours",
			Value: func(s *Settings) flag.Value { return idValue{p: &s.FS.UID} }},
		{Name: "gid", group: groupFiles, Arg: "GROUP",
			Usage: "group where S3 knows of none", Preset: "yours",
			Value: func(s *Settings) flag.Value { return idValue{p: &s.FS.GID, group: true} }},
		{Name: "file-mode", group: groupFiles, Arg: "MODE",
			Usage: "permissions of files where S3 knows of none",
			Value: func(s *Settings) flag.Value { return modeValue{&s.FS.FileMode} }},
		{Name: "dir-mode", group: groupFiles, Arg: "MODE",
			Usage: "permissions of directories where S3 knows of none",
			Value: func(s *Settings) flag.Value { return modeValue{&s.FS.DirMode} }},
		{Name: "umask", group: groupFiles, Arg: "MODE",
			Usage: "set --file-mode and --dir-mode by the bits that they lack",
			Value: func(s *Settings) flag.Value { return umaskValue{&s.FS.FileMode, &s.FS.DirMode} }},
		{Name: "posix", group: groupFiles, Arg: "HOW",
			Usage: "attributes on objects: auto, full or off",
			Value: func(s *Settings) flag.Value { return stringValue{&s.FS.Posix, oneOf("auto", "full", "off")} }},
		{Name: "xattr", group: groupFiles,
			Usage: "keep extended attributes; ls -l costs more",
			Value: func(s *Settings) flag.Value { return boolValue{&s.FS.Xattr} }},
		{Name: "conflict", group: groupFiles, Arg: "HOW",
			Usage: "lost races: error, overwrite or keep-both",
			Value: func(s *Settings) flag.Value {
				return stringValue{&s.FS.Conflict, oneOf("error", "overwrite", "keep-both")}
			}},
		{Name: "durability", group: groupFiles, Arg: "HOW",
			Usage: "close waits for: s3, or a local journal",
			Value: func(s *Settings) flag.Value { return stringValue{&s.FS.Durability, oneOf("s3", "journal")} }},
		{Name: "delete", group: groupFiles, Arg: "HOW",
			Usage: "gather (many files in one request) or sync",
			Value: func(s *Settings) flag.Value { return stringValue{&s.FS.Delete, oneOf("gather", "sync")} }},
		{Name: "nonempty", group: groupFiles,
			Usage: "allow a mountpoint that has files in it",
			Value: func(s *Settings) flag.Value { return boolValue{&s.Nonempty} }},
	}
}

func limitOptions() []Option {
	return []Option{
		{Name: "metadata-ttl", group: groupLimits, Arg: "TIME",
			Usage: "how long names and attributes may be stale",
			Value: func(s *Settings) flag.Value { return durationValue{&s.FS.MetadataTTL} }},
		{Name: "open-ttl", group: groupLimits, Arg: "TIME",
			Usage: "how long opens rely on the last check of a file",
			Value: func(s *Settings) flag.Value { return durationValue{&s.FS.OpenTTL} }},
		{Name: "memory-limit", group: groupLimits, Arg: "SIZE",
			Usage: "memory for names, inodes and data",
			Value: func(s *Settings) flag.Value { return sizeValue{&s.FS.MemoryLimit} }},
		{Name: OptionCache, group: groupLimits, Arg: "DIR",
			Usage: "keep what was read on disk, in DIR",
			Value: func(s *Settings) flag.Value { return stringValue{p: &s.FS.CacheDir} }},
		{Name: "cache-size", group: groupLimits, Arg: "SIZE",
			Usage: "disk space for --cache, over all mounts of DIR",
			Value: func(s *Settings) flag.Value { return sizeValue{&s.FS.CacheSize} }},
		{Name: "cache-min-free", group: groupLimits, Arg: "SIZE",
			Usage: "what --cache leaves free on the disk",
			Value: func(s *Settings) flag.Value { return sizeValue{&s.FS.CacheMinFree} }},
		{Name: "connections", group: groupLimits, Arg: "N",
			Usage: "parallel data requests of reads and of writes each",
			Value: func(s *Settings) flag.Value { return countValue{p: &s.FS.Connections, min: 1} }},
		{Name: "deadline", group: groupLimits, Arg: "TIME",
			Usage: "how long a request that fails is tried again",
			Value: func(s *Settings) flag.Value { return durationValue{&s.S3.Deadline} }},
		{Name: "state-dir", group: groupLimits, Arg: "DIR",
			Usage: "where bytes are kept that S3 refused", Preset: "/var/lib/s3mount, or ~/.local/state/s3mount",
			Value: func(s *Settings) flag.Value { return stringValue{p: &s.FS.StateDir} }},
		{Name: "spool-dir", group: groupLimits, Arg: "DIR",
			Usage: "where written bytes wait that memory has no room for",
			Value: func(s *Settings) flag.Value { return stringValue{p: &s.FS.SpoolDir} }},
	}
}

// Options that the code knows by name.
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
			Usage: "do not go to the background; log to stderr",
			Value: func(s *Settings) flag.Value { return boolValue{&s.Foreground} }},
		{Name: OptionDrainTimeout, group: groupProcess, Arg: "TIME",
			Usage: "how long SIGTERM waits for S3; 0 is for ever",
			Value: func(s *Settings) flag.Value { return durationValue{&s.DrainTimeout} }},
		{Name: "user", MountName: "setuid", group: groupProcess, Arg: "USER",
			Usage: "mount as root, then become USER",
			Value: func(s *Settings) flag.Value { return accountValue{&s.Account} }},
		{Name: "log-file", group: groupProcess, Arg: "FILE",
			Usage: "log to FILE, not to the system log; SIGHUP opens it anew",
			Value: func(s *Settings) flag.Value { return stringValue{p: &s.LogFile} }},
		{Name: "log-level", group: groupProcess, Arg: "LEVEL",
			Usage: "debug, info, warn or error",
			Value: func(s *Settings) flag.Value {
				return stringValue{&s.LogLevel, oneOf("debug", "info", "warn", "error")}
			}},
		{Name: "log-format", group: groupProcess, Arg: "FORMAT",
			Usage: "text or json",
			Value: func(s *Settings) flag.Value { return stringValue{&s.LogFormat, oneOf("text", "json")} }},
		{Name: "metrics", group: groupProcess, Arg: "ADDR",
			Usage: "answer Prometheus at a local port, or host:port",
			Value: func(s *Settings) flag.Value { return stringValue{&s.Metrics, checkMetricsAddress} }},
		{Name: "debug", group: groupProcess,
			Usage: "log every FUSE and S3 request",
			Value: func(s *Settings) flag.Value { return boolValue{&s.Debug} }},
		{Name: "o", group: groupProcess, Arg: "LIST",
			Usage: "options as mount(8) writes them: name,name=value,...",
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

// optionGroup is the options under one heading.
type optionGroup struct {
	Name    string
	Options []Option
}

// OptionGroups gives the table by groups, in the order of the table.
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

// Flags are the names of the option as they stand on the command line.
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

// DefaultText is the default for documentation, the same on every machine; ""
// is none.
func (o Option) DefaultText() string {
	switch {
	case o.Preset != "":
		return o.Preset
	case o.Arg == "":
		return ""
	}
	return o.Value(Defaults()).String()
}

// Choices are the words that an option takes; nil if it takes others, too.
func (o Option) Choices() []string {
	var e *choiceError
	if errors.As(o.Value(Defaults()).Set("\x00"), &e) {
		return e.words
	}
	return nil
}
