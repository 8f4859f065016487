// Package lockorder states the order in which the locks of the packages below fs are
// acquired, and checks it in builds with the tag lockorder:
//
//	go test -tags lockorder ./fs/namespace
//
// A goroutine that holds a lock may acquire only locks that come later in the list of
// this file. No lock is held during a request, a wait, or a call of a pending file.
package lockorder

// Rank is the place of a lock in the order. A lock with a lower number is acquired first.
type Rank interface{ Rank() int }

// The ranks, in their order.
type (
	Queue      struct{} // deletions that wait for a batch, and their failures
	Keeper     struct{} // markers of directories on their way
	Asks       struct{} // questions for attributes under way
	Permission struct{} // where S3 lets this mount delete
	View       struct{} // names that are hidden
	Pending    struct{} // files that are not in S3 yet
	Index      struct{} // changes of attribute indexes that are not written
	Reader     struct{} // attribute indexes that are being read
	Catalogue  struct{} // which directories have an attribute index
	Fetcher    struct{} // LISTs under way
	Cache      struct{} // pages and facts
	Walks      struct{} // how directories were used
	Background struct{} // whether work may begin
)

func (Queue) Rank() int      { return 4 }
func (Keeper) Rank() int     { return 6 }
func (Asks) Rank() int       { return 8 }
func (Permission) Rank() int { return 9 }
func (View) Rank() int       { return 10 }
func (Pending) Rank() int    { return 15 }
func (Index) Rank() int      { return 20 }
func (Reader) Rank() int     { return 30 }
func (Catalogue) Rank() int  { return 40 }
func (Fetcher) Rank() int    { return 50 }
func (Cache) Rank() int      { return 60 }
func (Walks) Rank() int      { return 70 }
func (Background) Rank() int { return 80 }
