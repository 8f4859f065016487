// Package control is how other processes of the same user ask a mount what it
// does, and have it write everything to S3: HTTP with JSON over a Unix socket.
//
//	GET  /v1/status   a Status
//	POST /v1/sync     a line of Progress now and then, the last one when S3 holds
//	                  everything that was written before the request, or with an error
//	GET  /v1/wait     the same until the mount has ended
//
// The path has the version of the meaning: fields are added, never
// changed. A newer program may so ask an older mount.
//
// # Where
//
// The socket lies in the runtime directory (RuntimeDir), under the device
// number of the mount (SocketName), which /proc/self/mountinfo has without
// asking the mount itself: also one that hangs can be asked for its status.
//
// # Who
//
// The directory is 0700, the socket 0600. A directory that is a symbolic link,
// belongs to somebody else or can be written by others is refused by both
// sides, and both look at the other's user (SO_PEERCRED of unix(7)): the mount
// answers its own user and root; a client believes the user of the mount and
// root. No answer holds a secret: a Status has neither credentials nor content,
// but it has the names of files that are being uploaded.
//
// # Invariants
//
//   - Everything is reached through the descriptor of a directory that was
//     checked, so that nobody can exchange it afterwards.
//   - A request that waits ends when its client goes away.
package control
