package listing

import "github.com/s3mount/s3mount/fs/entry"

// fact is the cached state of a single key, from a HEAD, a GET or a write.
type fact struct {
	packed entry.Packed
	own    bool // this mount wrote that version
}

func newFact(e entry.Entry, own bool) fact { return fact{entry.Pack(e), own} }

// entry returns the entry without its key.
func (f *fact) entry() entry.Entry { return f.packed.Entry("") }

// ownSize is the size of a fact without its entry.
const ownSize = 8

// factCost returns the memory of a fact without its key.
func factCost(_ string, f fact) int64 { return f.packed.Size() + ownSize }
