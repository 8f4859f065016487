// Package answers writes down what a filesystem answers to some thousands of
// system calls: errnos, and what stat(2) shows afterwards. It knows no right
// answers. The same program runs in a directory of a filesystem that is known
// to be right and in one that is to be judged, and the two reports are compared
// line by line.
//
// A report consists of families (one per system call, families.go has the
// list), a family of cases, a case of lines "family/case: what = answer". Each
// case has an empty directory of its own. Cases act as root and as two users
// without privileges, by the credentials of their thread (credentials(7)).
//
// Nothing in a report depends on the clock, on inode numbers or on what a
// filesystem is: times are told as "changed" or "same", and sizes of
// directories not at all.
package answers
