// Package listing knows what LIST and HEAD have shown of the names in a bucket, and reads
// directories. It knows nothing of attributes beside the default ones, of deletes under
// way, or of files that are not in S3 yet: package namespace adds those.
//
// # Concepts
//
//   - A page has all rows of one stretch of one directory, as one LIST has shown them. A
//     name that lies in the stretch of a page and has no row is absent.
//   - A fact is what a HEAD, a GET or a change of this mount has shown of one key. If a
//     fact and a page differ, the younger is right.
//   - Cache holds pages and facts in bounded memory. Either may vanish at any time.
//   - Answer is a request under way. Changes that this mount makes meanwhile are applied
//     to its answer, which may be older.
//   - Fetcher performs LISTs. Callers that want the same LIST share it, and a caller that
//     gives up leaves it to the others.
//   - Reader reads the rows of one directory in the order of keys. Walks recognises that
//     a program reads a whole tree or looks up many names.
//
// # Flow
//
//	Reader.Take ── rows in a page that is believed ──> rows
//	     │ no
//	Reader.Ask ──> Fetcher ── LIST ──> pages ──> Cache ──> Reader.Take
//
// A directory that is read shortly after its parent is part of a walk. One LIST without
// delimiter then fills the pages of this directory and of those that follow.
//
// A large directory is listed in parallel after its first pages (parallel.go). If its
// names are numbers at even distances, the parts are cut where pages end (spacing.go)
// and cost no further request. Otherwise a part may cost one request that shows nothing
// new. Up to 10,000 names cost one request per 1000.
//
// # Trust
//
// An answer is believed for a tenth of the age of the object, at least a second and at
// most Options.TTL. A version that this mount wrote is believed for Options.TTL.
//
// # Locks
//
// The order is Fetcher.mu, Cache.mu, Walks.mu (package lockorder). No lock is held during
// a request or a wait.
//
// # Invariants
//
//   - Pages of one directory do not overlap, and the rows of a page are in order and
//     within its stretch.
//   - Rows that a Reader has taken are never taken again, whatever changes the cache.
package listing
