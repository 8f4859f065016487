// Package harness runs s3mount like a user: as a separate process with a real mount and a
// real S3 server. It prevents tests from leaving processes or mounts on the machine.
//
// # Concepts
//
//   - Supervisor and child: every test on a mount runs in a child process. Run starts the
//     test binary again for one test. Only the child accesses the mount. After the deadline
//     the supervisor requests the goroutines of s3mount (SIGQUIT), aborts the FUSE
//     connection, kills the remaining processes by id and unmounts lazily. It finds them by
//     the work dir of the test: each process has its path in the command line, and each
//     mount is below it.
//   - World: the resources of a child, which are its work dir, the endpoint of the shared
//     server, and methods that create buckets, proxies and mounts. Programs that mount
//     themselves run in a separate mount namespace.
//   - Server: a running S3 server with one or more processes. S3MOUNT_TEST_SERVER selects
//     the server that the tests share. The default is versitygw. Package servers has a table
//     of the limits of each server. A test with a limit must fail, and is then skipped with
//     the reason.
//   - Proxy: an HTTP/1.1 proxy in front of a server. It counts requests by Kind, adds
//     latency, limits the bandwidth of a connection, and injects faults.
//   - Referee: a different S3 client, with which tests check the objects.
//
// # Data flow
//
//	TestMain ─> Main ─> private mount namespace, s3mount and versitygw, shared server
//	test ─> Run (supervisor) ─> child ─> World ─> Mount ─> Proxy ─> Server
//	                                        └───> Referee ───────────┘
//
// Main enters a private mount namespace if it is root, so that no mount outlives it. The
// resources of a World end in functions that are registered with testing.T.Cleanup.
//
// # Lock order
//
// Proxy.mu is the only mutex. Nothing is called while it is held.
//
// # Invariants
//
// After a test there is no process and no mount of its work dir; otherwise Run fails the
// test. A work dir is removed only if nothing is mounted below it.
package harness

// Every server of this package has this account and region.
const (
	Region    = "us-east-1"
	AccessKey = "tester"
	SecretKey = "testersecret"
)
