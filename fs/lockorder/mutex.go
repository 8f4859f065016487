//go:build !lockorder

package lockorder

import "sync"

// Mutex is a sync.Mutex with the rank R.
type Mutex[R Rank] struct{ sync.Mutex }
