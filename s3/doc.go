// Package s3 is a client for Amazon S3 and compatible servers. It streams data, classifies
// errors, and uses no type of an SDK in its API except for credentials.
//
//	c, err := s3.New(s3.Options{
//		Endpoint:    "http://127.0.0.1:9000", // omit for AWS
//		Credentials: s3.StaticCredentials(id, secret, ""),
//	})
//	out, err := c.Get(ctx, &s3.GetInput{Bucket: "b", Key: "k", Range: s3.Bytes(0, 99)})
//	if errors.Is(err, s3.ErrNotFound) { ... }
//	defer out.Body.Close()
//
// # Concepts
//
// A call (Get, Put, Ls) consists of one or more attempts, and each attempt is one HTTP
// exchange. After a failed attempt there are three cases:
//
//   - A remedy changes the request and repeats it at once: another region, the server's
//     clock, new credentials, or a weaker checksum. Each call uses each remedy a bounded
//     number of times.
//   - A retry repeats the request after a wait: after throttling, a 5xx status, and broken
//     or stalled connections. The wait is random with a limit that doubles (full jitter),
//     and at least the value of Retry-After. All retries of a client share a token bucket,
//     which bounds the load on a failing server.
//   - Otherwise the call returns an *Error of one of the kinds Err...: if a retry is
//     useless, if Options.Deadline or MaxAttempts is reached (ErrDeadline), or if the
//     context has ended, which interrupts waits and exchanges.
//
// Integrity: uploads carry a CRC32C or CRC64NVME in a header. Large bodies carry it in a
// trailer if the server is known to verify it. If the server supports neither, uploads
// carry a Content-MD5 (see integrity). Downloads of whole objects are compared with the
// checksum that the server sends. Signatures do not cover the payload (UNSIGNED-PAYLOAD),
// because SHA-256 costs five times as much as a CRC.
//
// Features: other servers lack some properties of S3. The table in feature.go lists each
// property that the client can replace, its detection and its replacement. A Finding holds
// the support of one feature by the server of one bucket. Its origin is a profile
// (Options.Server), a probe on objects of the client (Options.ProbePrefix), or the answer to
// a request of the caller. Options.FeatureStore keeps findings for a week. The client logs
// a missing feature once, and makes no probes on AWS.
//
// Lost answers: a write whose answer was lost is repeated. If the repetition fails because
// the first attempt succeeded, the client compares the object with the write (lost.go).
//
// # Data flow
//
//	get.go, put.go, ls.go, ...     make a call
//	condition.go, copysource.go    conditions that the server may not enforce
//	relay.go, deletemulti.go       operations that the server may lack
//	      │ call
//	do.go ──> remedy.go, retry.go  loop over the attempts
//	      │ attempt
//	exchange.go ──> endpoint.go    host and path
//	            ──> integrity.go   checksum; sendbody.go sends the body
//	            ──> sign.go        signature
//	            ──> watchdog.go    limits for every wait
//	      │ response
//	answer.go, xml.go, getbody.go  errors, documents, object data
//
// An attempt reads an XML answer completely, up to a limit, so that a truncated answer, or
// an error in a response with status 200, is retried like any failure. The body of a GET
// outlives its attempt. If it breaks, getbody.go continues at the same byte of the same
// ETag. Every attempt is signed anew, and signed requests go only to the server of Options
// or to other regions of AWS.
//
// # Lock order
//
// The mutexes of watchdog, retryBudget, bucketFeatures and defaultProvider are leaves: no
// other mutex is acquired while one of them is held. sendBody.mu is held while the
// caller's reader is read and its data is sent, and ranks above the mutex of watchdog.
// sendBody.stop waits for sendBody.mu. It is called without a lock after the context of the
// exchange has ended.
//
// # Invariants
//
//   - After a call has returned, the client does not read the caller's Body.
//   - The Body of a GET yields exactly Length bytes or an error other than io.EOF.
//   - Log records and errors contain no signatures, keys or tokens.
//   - Every exchange ends, because each wait for the network has a limit.
package s3
