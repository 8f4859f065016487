// Package answers records the results of some thousands of system calls on a filesystem: the
// errnos, and the output of stat(2) afterwards. It does not know the right results. The same
// program runs in a directory of a local filesystem and in a directory of the filesystem under
// test, and the two reports are compared line by line.
//
// A report consists of families, one for each system call (see families.go). A family
// consists of cases, and a case of lines "family/case: what = answer". Each case has a new
// empty directory. Cases act as root and as two unprivileged users, with the credentials of
// their thread (credentials(7)).
//
// A report does not depend on the clock, on inode numbers or on the type of the filesystem.
// Times are reported as "changed" or "same", and sizes of directories are omitted.
package answers
