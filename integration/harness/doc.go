// Package harness runs s3mount as its users do, as a process of its own on a
// real mount against a real S3 server, and keeps the machine safe from it.
//
// # Concepts
//
// Supervisor and child: every test on a mount runs in a child process (Run
// starts the test binary again for one test). The child mounts, reads and
// writes freely; the supervisor touches no mount. When the child passes its
// deadline the supervisor asks s3mount for its goroutines (SIGQUIT), aborts the
// FUSE connection, kills what is left by process id and unmounts lazily. Work
// dirs are the handle to all of it: each process of a test has the path of its
// work dir in its command line, each mount lies under it.
//
// World: what a child has at hand: its work dir, the endpoint of the shared
// server, and makers of buckets, proxies and mounts. It runs programs, and
// those that mount for themselves in a mount namespace apart.
//
// Server: a running S3 server of one or more processes. The variable
// S3MOUNT_TEST_SERVER chooses which one the tests share; versitygw is the
// default. Package servers has the table of what a server cannot do. A test with
// a limit in the table must fail, and is then skipped with the reason.
//
// Proxy: an HTTP/1.1 proxy in front of a server that counts requests by Kind,
// adds latency and a bandwidth per connection, and injects faults.
//
// Referee: another S3 client than the one under test; it says what is true.
//
// # Flow
//
// Main (called by TestMain) enters a private mount namespace when it is root,
// so that no mount outlives it, builds s3mount and versitygw, starts the shared
// server and runs the tests. Run starts a child per test. The child calls World's
// makers; their ends are registered with testing.T.Cleanup.
//
// # Lock order
//
// Proxy.mu is the only lock; nothing is called while it is held.
//
// # Invariants
//
// After a test no process and no mount of its work dir is left; Run fails the
// test otherwise. A work dir is removed only when nothing is mounted under it.
package harness

// The account that every server of this package knows, and its region.
const (
	Region    = "us-east-1"
	AccessKey = "tester"
	SecretKey = "testersecret"
)
