package fs

import (
	"context"
	"errors"

	"github.com/s3mount/s3mount/fs/writeback"
)

// inTurn calls work with the turn of n. If the commit in it is interrupted, inTurn
// gives the turn to the interrupting caller and calls work again afterwards. Mostly
// there is nothing left to do then.
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

// claim takes the turn of n for a caller that removes its name. It interrupts a commit
// that has the turn, because its upload is no longer useful.
func (n *inode) claim(ctx context.Context) error {
	n.lock()
	file := n.file
	n.unlock()
	if file != nil {
		defer file.Interrupt()()
	}
	return n.turns().commit.take(ctx)
}
