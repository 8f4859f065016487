package fs

import (
	"context"
	"sync"
	"time"
)

// attrDelay is the delay of attribute changes. It combines the changes of one file
// (chmod, chown and utimens of cp -p, tar or rsync come within a millisecond), and a
// rename or write that follows can carry them.
const attrDelay = 500 * time.Millisecond

// attrQueue saves attributes that no PUT has carried to S3. It pins its inodes.
type attrQueue struct {
	inodes *inodes
	flush  func(context.Context, *inode) error
	slots  chan struct{} // one per request under way
	life   context.Context

	mu     sync.Mutex
	timers map[*inode]*time.Timer
	closed bool
	wg     sync.WaitGroup
}

func newAttrQueue(life context.Context, t *inodes, connections int, flush func(context.Context, *inode) error) *attrQueue {
	return &attrQueue{life: life, inodes: t, flush: flush, slots: make(chan struct{}, connections), timers: map[*inode]*time.Timer{}}
}

// add schedules n, or restarts its delay.
func (q *attrQueue) add(n *inode) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	if t := q.timers[n]; t != nil && t.Stop() {
		t.Reset(attrDelay)
		return
	}
	q.inodes.pin(n)
	q.wg.Add(1)
	var t *time.Timer
	t = time.AfterFunc(attrDelay, func() {
		q.mu.Lock()
		if q.timers[n] == t {
			delete(q.timers, n)
		}
		q.mu.Unlock()
		q.slots <- struct{}{}
		ctx, stop := context.WithTimeout(q.life, time.Hour) // a last resort: s3 ends its calls sooner (P12)
		_ = q.flush(ctx, n)                                 // flush logs what it cannot report
		stop()
		<-q.slots
		q.done(n)
	})
	q.timers[n] = t
}

func (q *attrQueue) done(n *inode) {
	q.inodes.unpin(n)
	q.wg.Done()
}

// close ends the queue. Its attributes must have been saved by drain.
func (q *attrQueue) close() {
	q.mu.Lock()
	q.closed = true
	var stopped []*inode
	for n, t := range q.timers {
		if t.Stop() {
			stopped = append(stopped, n)
		}
	}
	clear(q.timers)
	q.mu.Unlock()
	for _, n := range stopped {
		q.done(n)
	}
	q.wg.Wait()
}
