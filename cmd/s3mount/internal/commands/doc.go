// Package commands has what s3mount does besides mounting: status, top, sync, umount,
// warm, doctor and the documentation.
//
// A Command is a word in the place of the bucket. Commands that ask a mount find its
// process through the control socket (package control), by the device number of the
// mount in /proc/self/mountinfo, so that also a mount that hangs can be asked.
//
// Another user may have written the answer of a mount. It is made printable as a
// whole before any text is built from it.
package commands
