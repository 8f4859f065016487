package fs

import (
	"context"
	"errors"

	"github.com/s3mount/s3mount/fs/writeback"
)

// inTurn does work in the turn of n. If the commit in it is interrupted, the one
// who interrupted it gets the turn, and after that the work is done again: most
// often there is nothing left to do.
func (n *inode) inTurn(ctx context.Context, work func() error) error {
	for {
		if err := n.turns().commit.take(ctx); err != nil {
			return err
		}
		err := work()
		n.turns().commit.give()
		if !errors.Is(err, writeback.ErrInterrupted) {
			return err
		}
	}
}

// claim takes the turn of n for a caller that takes the name of n away. It
// interrupts the commit that has the turn: an upload of many bytes is of no use
// any more.
func (n *inode) claim(ctx context.Context) error {
	n.lock()
	file := n.file
	n.unlock()
	if file != nil {
		defer file.Interrupt()()
	}
	return n.turns().commit.take(ctx)
}
