// Command s3mount mounts an S3 bucket as a filesystem.
//
//	s3mount [options] bucket[:prefix] mountpoint
//
// This package has main and the order of a start. The work is in packages below
// internal:
//
//	exit      exit codes, and the errors that carry them
//	text      sizes, times and lists for people; what a terminal must not obey
//	private   directories that only this user can enter
//	progress  how far an operation is
//	machine   what this computer and user can do, and what is mounted
//	settings  options: table, file, environment, command line, -o
//	manual    help topics, manual page, completions
//	setup     directories, client, first request
//	control   the socket on which a mount answers
//	metrics   the answers to Prometheus
//	daemon    background, logs, signals, service manager
//	commands  status, top, sync, umount, warm, doctor
//
// A few words in the place of the bucket are commands, such as s3mount help. Under
// the name mount.s3mount the program is the helper that mount(8) calls for
// filesystems of type s3mount in /etc/fstab.
//
// # Start
//
// The settings are checked as a whole, then the machine (mountpoint, /dev/fuse,
// fusermount3), then the bucket with one LIST; only then is anything mounted. With
// --user the mount comes first, because only root can make it, and the process
// becomes the user before it reads anything from the network.
//
// # Invariants
//
//   - No secret is an option: credentials come by the ways of the AWS SDK.
//   - Nothing here is package-level state.
//   - An error is printed once, by main, as one line.
package main
