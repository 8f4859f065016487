// Package private makes directories that only the user of the process can enter,
// and that nobody else can replace.
//
// The data that s3mount keeps on disk is as confidential as the bucket. Two
// things protect it. The directory itself has the mode 0700 and belongs to the
// user. And each directory above it, also on the way through symbolic links,
// belongs to root or to the user, and nobody else can write to it unless its
// sticky bit is set, as on /tmp. Otherwise somebody could rename a part of
// the path and put another directory there.
//
// The path is walked from the root with openat(2), so that the directory that was
// checked is the one that is entered next. A path that passed the checks can later
// be used by its name, since only root and the user can change it.
package private
