package cache

// BlockID names a block: index counts units of BlockSize in the version (key, ETag).
type BlockID struct {
	Key, ETag string
	Index     int64
}

// Blocks is the cache of object data in memory.
type Blocks struct {
	pool *Pool
}

// NewBlocks makes an empty cache whose memory comes from pool.
func NewBlocks(pool *Pool) *Blocks { return &Blocks{pool: pool} }

// Pins holds blocks in memory and shows the bytes asked for as slices of them.
type Pins struct {
	slices [][]byte
	size   int
}

// Slices returns the bytes in order. They are valid until Done.
func (p *Pins) Slices() [][]byte { return p.slices }

// Size returns the number of bytes in Slices.
func (p *Pins) Size() int { return p.size }

// Done lets the blocks go. It is called once.
func (p *Pins) Done() {}
