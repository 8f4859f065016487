// Package machine examines the computer and the user: whether this process can mount, the
// table of mounts, and the programs that use a mount.
//
// Every wait for a mount has a limit, because the process of a mount may hang. The checks
// of a mountpoint begin with the cheapest: the directory, the table of mounts, an answer of
// a mount at that place, and the names in the directory.
//
// The paths and functions that touch the system are fields of Machine, so that tests can
// replace them.
package machine
