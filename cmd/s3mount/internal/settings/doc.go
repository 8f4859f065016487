// Package settings reads what a mount is to do from the configuration file, the
// environment, the command line and the -o lists of mount(8).
//
// All of them end in one value of the type Settings, by way of one table of options
// (Options). The file comes first, then the environment, then the command line from
// left to right; the last one wins. The help text, the manual, the completions and
// the tables of the README are written from the same table, so that an option is
// stated in one place.
//
// # Invariants
//
//   - No secret is an option.
//   - 0 and "" are values. Settings.Given has the names of the options that were set.
//   - An error names the option, the variable or the line of the file.
package settings
