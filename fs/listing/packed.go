package listing

import "github.com/s3mount/s3mount/fs/entry"

// Packed is an Entry without its key in a third of the space. Packed values can be
// compared, and are equal if the entries are; the opposite holds for usual entries.
type Packed struct{ f fact }

// Pack packs an entry.
func Pack(e entry.Entry) Packed { return Packed{newFact(e, false)} }

// Entry returns the entry under its key.
func (p *Packed) Entry(key string) entry.Entry {
	e := p.f.entry()
	e.Key = key
	return e
}
