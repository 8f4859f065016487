// Package private creates directories that only the user of the process can enter, and
// that no other user can replace.
//
// The data that s3mount keeps on disk is as confidential as the bucket. The directory has
// mode 0700 and belongs to the user. Each directory above it, including those that symbolic
// links lead through, belongs to root or to the user. No other user can write to them,
// unless the sticky bit is set, as on /tmp. Otherwise another user could rename a part of
// the path and put another directory there.
//
// The path is walked from the root with openat(2), so that the directory that was
// checked is the one that is entered next. A path that passed the checks can later
// be used by its name, since only root and the user can change it.
package private
