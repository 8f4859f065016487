package harness

import (
	"context"
	"fmt"
	"os"

	"github.com/s3mount/s3mount/integration/servers"
)

// EnvServer is the variable that selects the server of the tests by its name in package
// servers. The default is versitygw.
const EnvServer = "S3MOUNT_TEST_SERVER"

// IsChosen reports whether the tests run against this server. Tests that do not depend
// on the server run only with versitygw.
func IsChosen(server string) bool { return chosenServer() == server }

// chosenServer returns the name of the server of the tests.
func chosenServer() string {
	if name := os.Getenv(EnvServer); name != "" {
		return name
	}
	return servers.Versitygw
}

// Install installs a server on this machine unless it is installed. The error says why
// the tests cannot run against it.
func Install(ctx context.Context, name string) error {
	switch name {
	case servers.Versitygw:
		_, err := Tool(".", "versitygw")
		return err
	case servers.MinIO:
		return installMinIO(ctx)
	case servers.Ceph:
		return installCeph(ctx)
	}
	return fmt.Errorf("the tests know no server %q", name)
}

// startNamed starts a server with its data below dir.
func startNamed(ctx context.Context, name, dir string, o ServerOptions) (*Server, error) {
	switch name {
	case servers.Versitygw:
		return StartServer(ctx, dir, o)
	case servers.MinIO:
		return startMinIO(ctx, dir)
	case servers.Ceph:
		return startCeph(ctx, dir)
	}
	return nil, fmt.Errorf("the tests know no server %q", name)
}
