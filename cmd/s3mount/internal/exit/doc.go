// Package exit has the exit codes of s3mount and the errors that carry them.
//
// Scripts and service managers decide by the code whether to try again. Each check
// returns an Error with the code that the process is to end with; main takes the
// code from the error, wherever it is wrapped. The manual and the README list the
// codes from the table in this package.
package exit
