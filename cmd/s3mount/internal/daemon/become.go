package daemon

import (
	"fmt"
	"os"
	"syscall"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/settings"
)

// Become changes the user of all threads of the process, and checks that the process
// cannot become root again. It uses package syscall, whose functions change all threads;
// unix.Setgroups changes only the calling thread.
func Become(a *settings.Account) error {
	for _, step := range []func() error{
		func() error { return syscall.Setgroups(a.Groups) },
		func() error { return syscall.Setresgid(a.GID, a.GID, a.GID) },
		func() error { return syscall.Setresuid(a.UID, a.UID, a.UID) },
	} {
		if err := step(); err != nil {
			return fmt.Errorf("become the user %s: %w", a.Name, err)
		}
	}
	if err := syscall.Setresuid(-1, 0, -1); err == nil {
		return fmt.Errorf("become the user %s: the process can still become root", a.Name)
	}
	// HOME locates the AWS configuration. Programs that it names expect all three.
	for name, value := range map[string]string{"HOME": a.Home, "USER": a.Name, "LOGNAME": a.Name} {
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("set %s: %w", name, err)
		}
	}
	return nil
}
