// Package integration tests s3mount as a whole: the program, on a real mount,
// against a real S3 server.
//
// The tests say what users may rely on. TestP1 to TestP12 hold the promises of
// the design, one each. TestApp runs everyday programs on a local directory
// and on a mount and compares the two, the bucket, and the mount after it was
// mounted again. TestEveryday does a day's work, and TestQuirks does it on servers
// that differ from S3. All of these run on the server that S3MOUNT_TEST_SERVER
// names (make test-servers); package servers has what each server cannot do. The
// rest covers the program around the filesystem: what it
// says when it cannot mount, /etc/fstab, crashes, and its way out.
//
// How a test reaches a mount without ever endangering the machine is told in
// package harness. The measurements are in bench, of mounts (make bench), and
// s3bench, of package s3 beside other libraries (make bench-s3).
package integration
