//go:build !linux

package s3

// setLowWater does nothing, because poll ignores SO_RCVLOWAT on other systems.
func setLowWater(uintptr, int) {}
