package cache

import "context"

// BlockSize is the cached unit of object data in bytes.
const BlockSize = 128 << 10

// Pool hands out memory for object data and charges a Budget for it.
type Pool struct {
	budget *Budget
}

// NewPool makes a pool that charges b.
func NewPool(b *Budget) *Pool { return &Pool{budget: b} }

// Budget returns the budget that the pool charges.
func (p *Pool) Budget() *Budget { return p.budget }

// Get returns size bytes (1 to BlockSize), waiting for room in the budget.
func (p *Pool) Get(ctx context.Context, size int) ([]byte, error) {
	if err := p.budget.Acquire(ctx, int64(size)); err != nil {
		return nil, err
	}
	return make([]byte, size), nil
}

// GetForced is Get that does not wait and may exceed the limit (I8).
func (p *Pool) GetForced(size int) []byte {
	p.budget.Force(int64(size))
	return make([]byte, size)
}

// TryGet is Get that returns nil when there is no room now.
func (p *Pool) TryGet(size int) []byte {
	if !p.budget.TryAcquire(int64(size)) {
		return nil
	}
	return make([]byte, size)
}

// Put takes back memory that Get, GetForced or TryGet returned.
func (p *Pool) Put(b []byte) { p.budget.Release(int64(cap(b))) }
