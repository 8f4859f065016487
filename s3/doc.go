// Package s3 is a client for Amazon S3 and the servers that speak its
// protocol. It is small, streams, and tells errors apart; its API has no type
// of an SDK but that of credentials.
//
//	c, err := s3.New(s3.Options{
//		Endpoint:    "http://127.0.0.1:9000", // leave out for AWS
//		Credentials: s3.StaticCredentials(id, secret, ""),
//	})
//	out, err := c.Get(ctx, &s3.GetInput{Bucket: "b", Key: "k", Range: s3.Bytes(0, 99)})
//	if errors.Is(err, s3.ErrNotFound) { ... }
//	defer out.Body.Close()
//
// # Concepts
//
// A call (Get, Put, Ls ...) is made of one or more attempts, each one HTTP
// exchange. What an attempt fails with decides what comes next:
//
//   - a remedy, at once: another region, the server's clock, new credentials,
//     a weaker checksum. Each is tried a bounded number of times per call;
//   - a retry, after a wait: throttling, 5xx, broken or stalled connections.
//     Waits are random up to a doubling limit (full jitter), at least what
//     Retry-After says, and all retries of a client share a token bucket, so
//     that a failing server is not hit with a multiple of the load;
//   - the end: an *Error, of one of the kinds Err..., when a retry is of no
//     use, Options.Deadline or MaxAttempts is reached (ErrDeadline), or the
//     context ends, which stops waits and exchanges at once.
//
// A request is signed anew for every attempt and only ever for the server
// that Options name, or for another region of AWS.
//
// # Flow
//
// The call's file (get.go, put.go, ls.go ...) makes a call value; do.go loops
// over attempts, remedy.go and retry.go decide between them; exchange.go is
// one attempt: a slot (Options.Connections), the target (endpoint.go), the body
// with its checksum (integrity.go, sendbody.go), the signature (sign.go), the
// exchange under a watchdog (watchdog.go), and the answer (answer.go, xml.go).
// Answers other than objects are read whole, bounded, within the attempt: one
// that is cut short or says "error" in a response with status 200 is retried
// like any failure. The body of a GET outlives its attempt; getbody.go opens
// it again from the byte where it broke, on the same ETag.
//
// # Integrity
//
// Uploads carry a CRC32C, or CRC64NVME, as a header or, for large bodies and
// servers known to check it, as a trailer; where a server knows neither, a
// Content-MD5. See integrity for how the client finds out. Downloads of whole
// objects are held to the checksum that the server gives. Payloads are not
// hashed for the signature (UNSIGNED-PAYLOAD): SHA-256 costs five times a CRC.
//
// # Features
//
// Servers ignore, refuse or misjudge what S3 does. The table in feature.go names
// everything that the client can do without: how it finds out, and what it does
// instead. What is known of a bucket's server is a Finding for each feature, from
// a profile (Options.Server), from a probe on objects of the client's own
// (Options.ProbePrefix, featureprobe.go), or from the answer to a request of the
// caller. It is kept for a week in Options.FeatureStore, and what is missing is
// logged once. AWS is known by its endpoint, and nothing is asked there.
//
//	conditions of writes   condition.go   the condition, or HEAD, compare and write
//	sources of copies      copysource.go  the same for what is copied
//	DeleteObjects          deletemulti.go or single deletes in parallel
//	copies                 relay.go       or GET and PUT through bounded memory
//	reads                  read.go        If-Match, checksums
//	listings               ls.go          tokens, or the last name; version 1
//
// # Lost answers
//
// A write whose answer was lost is repeated. Where the repetition fails on
// what the first attempt made, as conditions and CompleteUpload do, the object
// itself is asked whether it holds the caller's bytes; see lost.go.
//
// # Locks
//
// The mutexes of watchdog, retryBudget, bucketFeatures and defaultProvider
// are leaves: nothing is called under them. sendBody.mu is held while the
// caller's reader is read and written to the network, and is above watchdog's;
// stop, which waits for it, is called without any lock after the exchange's
// context has ended.
//
// # Invariants
//
//   - When a call returns, nobody reads the caller's Body any more.
//   - A Body of a GET yields exactly Length bytes or an error that is not io.EOF.
//   - No signature, key or token is in a log record or an error.
//   - Every exchange ends: each wait for the network has a limit.
package s3
