package s3

import "syscall"

// setLowWater sets SO_RCVLOWAT of a socket. It ignores errors, because the mark only
// saves CPU time.
func setLowWater(fd uintptr, n int) {
	_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, n)
}
