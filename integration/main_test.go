package integration

import (
	"os"
	"testing"

	"github.com/s3mount/s3mount/integration/harness"
)

func TestMain(m *testing.M) {
	os.Exit(harness.Main(m, ops))
}

// ops run as processes of their own: what must not share one with the servers
// of a test.
var ops = map[string]harness.Op{"mmap": mmapOp, "mapsum": mapsumOp, "lock": lockOp, "answers": answersOp, "automount": automountOp, "access": accessOp}

// run runs body as a subtest with a new World.
func run(t *testing.T, name string, body func(t *testing.T, w *harness.World)) {
	t.Run(name, func(t *testing.T) { harness.Run(t, harness.Config{}, body) })
}
