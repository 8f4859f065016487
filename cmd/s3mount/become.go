package main

import (
	"fmt"
	"os"
	"syscall"
)

// become makes every thread of the process one of the user, and makes sure that
// there is no way back. The functions are those of package syscall because they
// change all threads; unix.Setgroups changes only the calling one.
func become(a *account) error {
	for _, step := range []func() error{
		func() error { return syscall.Setgroups(a.groups) },
		func() error { return syscall.Setresgid(a.gid, a.gid, a.gid) },
		func() error { return syscall.Setresuid(a.uid, a.uid, a.uid) },
	} {
		if err := step(); err != nil {
			return fmt.Errorf("become the user %s: %w", a.name, err)
		}
	}
	if err := syscall.Setresuid(-1, 0, -1); err == nil {
		return fmt.Errorf("become the user %s: root's rights are still there", a.name)
	}
	// The AWS configuration is found by HOME, and programs that it names expect all three.
	for name, value := range map[string]string{"HOME": a.home, "USER": a.name, "LOGNAME": a.name} {
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("set %s: %w", name, err)
		}
	}
	return nil
}
