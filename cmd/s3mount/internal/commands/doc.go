// Package commands implements the subcommands of s3mount: status, top, sync, umount, warm,
// doctor and the documentation.
//
// A Command is a word in the place of the bucket. Commands find the process of a mount
// through its control socket (package control), by the device number of the mount in
// /proc/self/mountinfo. So they also reach a mount that hangs.
//
// The answer of a mount may contain texts of another user. The commands escape control
// characters in the whole answer before they use it.
package commands
