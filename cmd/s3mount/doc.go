// Command s3mount mounts an S3 bucket as a filesystem.
//
//	s3mount [options] bucket[:prefix] mountpoint
//
// This package has main and the steps of a start. The other parts are in packages
// below internal:
//
//	exit      exit codes, and the errors that carry them
//	text      sizes, times and lists for people; escapes control characters
//	private   directories that only this user can use
//	progress  display of the progress of an operation
//	machine   abilities of this computer and user, and its mounts
//	settings  options: table, file, environment, command line, -o
//	manual    help topics, manual page, completions
//	setup     directories, client, first request
//	control   the socket on which a mount answers
//	metrics   metrics for Prometheus
//	daemon    background, logs, signals, service manager
//	commands  status, top, sync, umount, warm, doctor
//
// A few words in the place of the bucket are commands, such as s3mount help. Under
// the name mount.s3mount the program is the helper that mount(8) calls for
// filesystems of type s3mount in /etc/fstab.
//
// # Start
//
// A start checks the settings, then the machine (mountpoint, /dev/fuse, fusermount3),
// then the bucket with one LIST, and then mounts. With --user it mounts first, because
// only root can mount, and becomes the user before it reads from the network.
//
// # Invariants
//
//   - No option takes a secret: credentials come from the sources of the AWS SDK.
//   - There is no package-level state.
//   - An error is printed once, by main, as one line.
package main
