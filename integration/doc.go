// Package integration tests s3mount on real mounts against real S3 servers.
//
// TestP1 to TestP12 test the promises of the design. TestApp runs common programs in a local
// directory and on a mount, and compares the directories, the bucket, and the mount after a
// remount. TestEveryday does typical work, and TestQuirks does it on servers that differ from
// S3. These tests run on the server that S3MOUNT_TEST_SERVER selects (make test-servers).
// Package servers lists the limits of each server. The other tests cover the program around
// the filesystem: failures to mount, /etc/fstab, crashes, and the unmount.
//
// Package harness runs the tests and protects the machine from hanging mounts. Command bench
// measures mounts (make bench), and package s3bench compares package s3 with other libraries
// (make bench-s3).
package integration
