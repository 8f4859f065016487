// Package manual writes the documentation that the program carries: the topics of
// s3mount help, the manual page and the completions of shells.
//
// All of it is made from the tables of options, commands and exit codes, and from the
// texts in the directory help, so that it cannot contradict the program.
package manual
