// Package commands has what s3mount does besides mounting: status, top, sync, umount,
// warm, doctor and the documentation.
//
// A Command is a word in the place of the bucket. Commands that ask a mount find its
// process through the control socket (package control), by the device number of the
// mount in /proc/self/mountinfo, so that also a mount that hangs can be asked.
//
// What a mount answers may have been written by another user. It is made printable as
// a whole before any text is built from it.
package commands
