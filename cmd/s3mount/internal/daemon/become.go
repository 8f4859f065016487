package daemon

import (
	"fmt"
	"os"
	"syscall"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/settings"
)

// Become makes every thread of the process one of the user, and makes sure that
// there is no way back. The functions are those of package syscall because they
// change all threads; unix.Setgroups changes only the calling one.
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
		return fmt.Errorf("become the user %s: root's rights are still there", a.Name)
	}
	// The AWS configuration is found by HOME, and programs that it names expect all three.
	for name, value := range map[string]string{"HOME": a.Home, "USER": a.Name, "LOGNAME": a.Name} {
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("set %s: %w", name, err)
		}
	}
	return nil
}
