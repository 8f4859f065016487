package s3

import "syscall"

// setLowWater sets a socket's mark. Without it reads are as good, but dearer.
func setLowWater(fd uintptr, n int) {
	_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, n)
}
