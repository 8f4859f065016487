// Package exit defines the exit codes of s3mount and the errors that carry them.
//
// Scripts and service managers decide by the code whether to try again. Each check
// returns an Error with the exit code, and main finds the code in the wrapped error. The
// manual lists the codes from the table in this package.
package exit
