// Command s3mount mounts an S3 bucket as a filesystem.
//
//	s3mount [options] bucket[:prefix] mountpoint
//
// A few words in the place of the bucket are commands that do something else
// (command.go), such as `s3mount help`.
//
// Under the name mount.s3mount it is the helper that mount(8) calls for
// filesystems of type s3mount in /etc/fstab.
//
// # Flow
//
// The configuration file, the S3MOUNT_ environment, the command line and the -o
// lists of mount(8) all end in one settings value, by way of one table of
// options (options.go). The file comes first, then the environment, then the
// command line from left to right; the last one wins. Settings are checked as a
// whole, then the machine (mountpoint, /dev/fuse, fusermount3), then the bucket
// with one LIST; only then is anything mounted. Each check ends in one line that
// names what is wrong and what helps, and in an exit code of its own (exit.go).
//
// # Background
//
// A Go program cannot fork, so to go to the background the command starts
// itself again with a pipe. The child does all the work from the checks on and
// reports over the pipe; the parent waits for that report, so that a script
// that runs s3mount finds either an answering filesystem or an error. The
// child stays in the parent's process group until it is mounted and becomes a
// session leader only then: the kernel lets only the process group of an
// automounter walk over a mountpoint that is being automounted.
//
// # Eyes
//
// A mount answers on a control socket (package control, eyes.go): the commands
// status, top, sync and umount find it by the mount's device number in
// /proc/self/mountinfo. --help of each command tells what it does.
//
// # End
//
// SIGTERM and SIGINT write everything to S3, then unmount; a second signal, or
// the end of --drain-timeout, says what would be lost and exits. A service
// manager is told of the mount, of the end's progress and, for its watchdog,
// that the mount answers (notify.go). An unmount from outside ends the process
// as well, after everything is written.
//
// # Invariants
//
//   - No secret is an option: credentials come by the ways of the AWS SDK.
//   - Nothing here is package-level state.
//   - An error is printed once, by main, as one line.
package main
