// Package manual generates the documentation that is part of the program: the topics
// of s3mount help, the manual page and the completions of shells.
//
// The sources are the tables of options, commands and exit codes, and the texts in the
// directory help. So the documentation cannot name an option that does not exist.
package manual
