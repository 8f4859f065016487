// Package settings reads the options of a mount from the configuration file, the
// environment, the command line and the -o lists of mount(8).
//
// One table (Options) has a row for each option, and all sources set the same value of type
// Settings. The file is read first, then the environment, then the command line from left
// to right; the last value wins. The help text, the manual, the completions and the tables
// of the README are generated from the same table.
//
// # Invariants
//
//   - No option takes a secret.
//   - 0 and "" are values. Settings.Given has the names of the options that were set.
//   - An error names the option, the variable or the line of the file.
package settings
