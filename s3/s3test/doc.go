// Package s3test tests what speaks S3: an S3 server in memory, a fault
// injector, and a conformance suite for clients and servers.
//
// # Server
//
// Server answers real HTTP as S3 itself does (the pages of
// https://docs.aws.amazon.com/AmazonS3/latest/API/ are linked at each
// operation), and on request as servers that differ from it. It is quick with
// large buckets: a page of a listing costs its rows and a binary search, also
// in a bucket of millions of keys, and objects share their bytes.
//
// A request flows through parse (bucket and key, byte for byte), route (which
// kind it is), authenticate, Deny, and its handler; each handler writes its
// own answer or returns an *apiError, which becomes S3's XML.
//
// # Faults
//
// Faults decides request by request what goes wrong: broken and stalled
// connections, late, lost, doubled, cut and changed answers, errors of all
// kinds, and how slow the line is. The same rules strike on a client's side
// (Faults.Transport) or inside the server (Options.Faults), the same requests in every run.
//
// # Suite
//
// Run holds a client and a server of any kind to the promises of package s3,
// row by row. What a server lacks is a Feature that the caller takes away
// with a reason; everything else must hold.
//
// # Invariants
//
// An object is immutable once stored, so it may be shared and read without a
// lock. Conditions are decided under the same lock as the change that they
// guard. Nothing is written to the network, and no body is read or hashed, under a lock.
//
// # Lock order
//
// Server.mu guards the buckets, requestLog.mu the counters, Faults.mu the
// rules. None is taken while another is held.
package s3test
