// Package metrics shows a mount to Prometheus: the families of table.go, of
// which README.md is the documentation (a test holds the two together), and
// those of the Go runtime and the process. All are made from one reading of the
// mount's Status when somebody asks; between scrapes they cost nothing.
//
// The listener has no password: it is on the loopback interface unless the user
// names another address. Metrics have no file names, no credentials; they have
// the bucket's name and the mountpoint. With Options.Debug it has the profiles
// of net/http/pprof, too, from which content could be guessed.
package metrics
