// Package control lets other processes of the same user query the status of a mount and
// request that it writes everything to S3. The protocol is HTTP with JSON over a Unix
// socket.
//
//	GET  /v1/status   a Status
//	POST /v1/sync     lines of Progress; the last one is sent when S3 holds everything
//	                  that was written before the request, or has an error
//	GET  /v1/wait     the same until the mount has ended
//
// The path contains the version. Within a version fields are added and never changed, so
// that a newer program can query an older mount.
//
// # Location
//
// The socket is in the runtime directory (RuntimeDir). Its name is the device number of the
// mount (SocketName), which /proc/self/mountinfo contains. So a client finds the socket
// without a request to the mount, and can query a mount that hangs.
//
// # Access
//
// The directory has mode 0700, the socket 0600. Both sides refuse a directory that is a
// symbolic link, belongs to another user or can be written by others. Both check the user
// of the other side (SO_PEERCRED of unix(7)): the mount answers its own user and root, and
// a client accepts answers of the user of the mount and of root. A Status contains names
// of files that are being uploaded, but no credentials and no data.
//
// # Invariants
//
//   - Both sides use the descriptor of the directory that they checked, so that no other
//     directory can replace it afterwards.
//   - A request that waits ends when its client closes the connection.
package control
