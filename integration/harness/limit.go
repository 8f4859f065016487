package harness

import "github.com/s3mount/s3mount/integration/servers"

// limitOf returns the limit of a test on a server. A limit without a reason means that
// there is none.
func limitOf(server, test string, cfg Config) servers.Limit {
	if cfg.Limit != "" {
		return servers.Limit{Reason: cfg.Limit}
	}
	limit, _ := servers.Find(server, test)
	return limit
}
