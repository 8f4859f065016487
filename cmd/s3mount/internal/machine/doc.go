// Package machine examines the computer and the user that s3mount runs on: whether
// this process can mount, what is mounted where, and who uses a mount.
//
// Nothing here waits for a mount without a bound, since the process behind a mount may
// hang. The checks of a mountpoint come from the cheapest on: the directory, the
// table of mounts, an answer of the mount that is there, and the names in the
// directory.
//
// A Machine has the paths and functions that touch the system as fields, so that
// tests replace them.
package machine
