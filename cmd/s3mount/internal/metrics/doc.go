// Package metrics serves the metrics of a mount to Prometheus: the families of table.go and
// the metrics of the Go runtime and the process. README.md documents the families, and a
// test compares it with the table. Each scrape reads the Status of the mount once. Between
// scrapes the metrics cost nothing.
//
// The listener has no password, so it is on the loopback interface unless the user gives
// another address. Metrics contain the name of the bucket and the mountpoint, but no names
// of files and no credentials. With Options.Debug the server also has the profiles of
// net/http/pprof, which may reveal data.
package metrics
