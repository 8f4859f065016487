//go:build lockorder

package lockorder

import "testing"

func TestOutOfOrder(t *testing.T) {
	var first Mutex[View]
	var second Mutex[Cache]
	first.Lock()
	second.Lock()
	second.Unlock()
	first.Unlock()
	second.Lock()
	defer second.Unlock()
	defer func() {
		if recover() == nil {
			t.Error("a lock that is acquired out of order is not found")
		}
	}()
	first.Lock()
}
