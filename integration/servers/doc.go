// Package servers is the knowledge of the tests about S3 servers: which ones the
// tests start, which ones are known from their documentation only, and what each
// of them cannot do.
//
// There is one table, All. A Limit in it names a test, or a feature of the
// conformance suite, that cannot pass on the server, with the reason. Package
// harness asks the table by Find: it runs a test that has a limit, skips it with
// the reason when it fails, and fails it when it passes, because the limit is
// then no longer true. The table in README.md is generated from All.
package servers
