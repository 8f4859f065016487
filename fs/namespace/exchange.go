package namespace

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/s3mount/s3mount/s3"
)

// exchangeDir holds the copies that an exchange needs for a moment.
const exchangeDir = reservedDir + "exchange/"

// settleTime is how long an exchange that failed or was interrupted may take
// to finish or to be taken back: some requests, and copies inside S3.
const settleTime = time.Minute

// exchange is two files that change places. The first is copied to a hidden
// key, the second over the first, the hidden copy over the second. At every
// moment each content is there in whole. A record in the state directory tells
// after a crash how far it came; of the step after that one S3 tells whether it
// was done.
//
//	begun ──copy──> kept ──copy──> half ──copy──> swapped ──delete──> (gone)
//	                  └── taken back if the first has not been replaced
type exchange struct {
	n    *Namespace
	it   intent // its file is the record
	path string

	Bucket string         `json:"bucket"`
	First  exchangeObject `json:"first"`
	Second exchangeObject `json:"second"`
	Temp   exchangeObject `json:"temp"`
	Stage  exchangeStage  `json:"stage"`

	first, second Entry // as they are under their new names, once copied
}

// exchangeObject is a version of one key.
type exchangeObject struct {
	Key      string    `json:"key"`
	ETag     string    `json:"etag"`
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"`
}

type exchangeStage int

const (
	exchangeBegun   exchangeStage = iota // nothing is changed; the hidden copy may be there
	exchangeKept                         // it is there
	exchangeHalf                         // the first is replaced
	exchangeSwapped                      // both are; the hidden copy is of no use any more
)

const exchangeSuffix = ".exchange.json"

func objectOf(e Entry) exchangeObject {
	return exchangeObject{Key: e.Key, ETag: e.ETag, Size: e.Size, Modified: e.LastModified}
}

// exchange lets two files change places.
func (n *Namespace) exchange(ctx context.Context, in RenameInput) (RenameOutput, error) {
	if in.New == nil {
		return RenameOutput{}, s3.ErrNotFound
	}
	both := [2]Entry{in.Old, *in.New}
	err := each(ctx, n.o.Connections, []int{0, 1}, func(ctx context.Context, i int) error {
		if err := n.WaitDeleted(ctx, both[i].Key); err != nil {
			return err
		}
		got, err := n.head(ctx, both[i].Key, false)
		if err == nil && both[i].ETag != "" && got.ETag != both[i].ETag {
			err = ErrStale
		}
		both[i] = got
		return err
	})
	if err != nil {
		return RenameOutput{}, err
	}
	x := &exchange{n: n, Bucket: n.o.Bucket, First: objectOf(both[0]), Second: objectOf(both[1]), first: both[0], second: both[1]}
	x.Temp = exchangeObject{Key: n.o.Prefix + exchangeDir + rand.Text(), Size: both[0].Size}
	if err := n.exchangeLinks(ctx, both[0], both[1]); err != nil {
		return RenameOutput{}, err
	}
	if err := x.begin(); err != nil {
		return RenameOutput{}, err
	}
	if err := x.run(ctx); err != nil {
		undo, stop := context.WithTimeout(n.life, settleTime)
		defer stop()
		to := [2]Entry{both[0], both[1]}
		to[0].Key, to[1].Key = both[1].Key, both[0].Key
		if linkErr := n.exchangeLinks(undo, to[0], to[1]); linkErr != nil {
			n.o.Logger.Warn("names of an exchange that failed are no longer linked", "err", linkErr)
		}
		return RenameOutput{}, err
	}
	return RenameOutput{
		Entry: x.first, Other: x.second,
		Moved: map[string]Entry{x.First.Key: x.first, x.Second.Key: x.second},
	}, nil
}

// begin writes the record.
func (x *exchange) begin() error {
	if x.n.o.StateDir == "" {
		return nil
	}
	x.path = filepath.Join(x.n.o.StateDir, rand.Text()+exchangeSuffix)
	data, err := json.Marshal(x)
	if err == nil {
		x.it.file, err = lockedFile(x.path, data)
	}
	if err != nil {
		return fmt.Errorf("write exchange record: %w", err)
	}
	return nil
}

// reached notes in the record how far the exchange is. The record keeps its
// size or grows, so that there is no moment in which it cannot be read: the
// stage is one digit.
func (x *exchange) reached(s exchangeStage) error {
	x.Stage = s
	if x.it.file == nil {
		return nil
	}
	data, err := json.Marshal(x)
	if err == nil {
		_, err = x.it.file.WriteAt(data, 0)
	}
	if err == nil {
		err = x.it.file.Sync()
	}
	if err != nil {
		return fmt.Errorf("write exchange record: %w", err)
	}
	return nil
}

// run goes through all steps. If one fails it is found out what S3 holds, and
// the exchange is finished or taken back.
func (x *exchange) run(ctx context.Context) error {
	err := x.forward(ctx)
	if err == nil {
		return x.it.end(true)
	}
	if errors.Is(err, s3.ErrPreconditionFailed) {
		err = ErrStale
	}
	ctx, cancel := context.WithTimeout(x.n.life, settleTime)
	defer cancel()
	x.forget()
	settleErr := x.settle(ctx)
	if settleErr != nil {
		x.n.o.Logger.Warn("an exchange of two names is left for the next mount to settle",
			"first", x.First.Key, "second", x.Second.Key, "err", settleErr)
	}
	if x.Stage == exchangeSwapped {
		err = nil // at most the hidden copy is left
	}
	return errors.Join(err, x.it.end(settleErr == nil))
}

// forward does what is left to be done.
func (x *exchange) forward(ctx context.Context) error {
	if x.Stage == exchangeBegun {
		got, err := x.n.copyTo(ctx, x.first, x.Temp.Key, false)
		if err != nil {
			return fmt.Errorf("copy %q aside: %w", x.First.Key, err)
		}
		x.Temp.ETag = got.ETag
		if err := x.reached(exchangeKept); err != nil {
			return err
		}
	}
	if x.Stage == exchangeKept {
		if err := x.over(ctx, x.Second, x.First, &x.second); err != nil {
			return err
		}
		if err := x.reached(exchangeHalf); err != nil {
			return err
		}
	}
	if x.Stage == exchangeHalf {
		if err := x.over(ctx, x.Temp, x.Second, &x.first); err != nil {
			return err
		}
		if err := x.reached(exchangeSwapped); err != nil {
			return err
		}
	}
	return x.dropTemp(ctx)
}

// over copies a version over another. e is the entry of what is copied, and
// becomes that of the copy.
func (x *exchange) over(ctx context.Context, from, to exchangeObject, e *Entry) error {
	n := x.n
	in := &s3.CopyInput{
		SrcBucket: n.o.Bucket, SrcKey: from.Key, SrcIf: s3.Conditions{IfMatch: from.ETag}, SrcSize: from.Size,
		Bucket: n.o.Bucket, Key: to.Key, IfMatch: to.ETag,
	}
	out, err := n.store.Copy(ctx, in)
	if errors.Is(err, s3.ErrNotImplemented) {
		in.IfMatch = "" // the version was looked at a moment ago
		out, err = n.store.Copy(ctx, in)
	}
	if err != nil {
		return fmt.Errorf("copy %q over %q: %w", from.Key, to.Key, err)
	}
	*e = n.copied(*e, to.Key, out)
	n.Committed(*e)
	return nil
}

func (x *exchange) dropTemp(ctx context.Context) error {
	for _, err := range x.n.deleteObjects(ctx, []s3.ObjectID{{Key: x.Temp.Key}}) {
		return fmt.Errorf("delete %q: %w", x.Temp.Key, err)
	}
	return nil
}

// forget drops what is cached of both names.
func (x *exchange) forget() {
	x.n.mu.Lock()
	defer x.n.mu.Unlock()
	x.n.forget(Entry{Key: x.First.Key})
	x.n.forget(Entry{Key: x.Second.Key})
}

// recoverExchange finishes or takes back an exchange of a mount that died.
func (n *Namespace) recoverExchange(ctx context.Context, path string) error {
	x := &exchange{n: n, path: path}
	var err error
	if x.it.file, err = n.takeRecord(path, x); x.it.file == nil {
		return err
	}
	mine := x.Bucket == n.o.Bucket && strings.HasPrefix(x.Temp.Key, n.o.Prefix+exchangeDir)
	if !mine {
		return x.it.end(false)
	}
	n.o.Logger.Info("settling an exchange of two names that was interrupted", "first", x.First.Key, "second", x.Second.Key)
	x.first, x.second = Entry{Key: x.First.Key}, Entry{Key: x.Second.Key}
	err = x.settle(ctx)
	x.forget()
	if endErr := x.it.end(err == nil); err == nil {
		err = endErr
	}
	if err != nil {
		return fmt.Errorf("settle the exchange of %q and %q: %w", x.First.Key, x.Second.Key, err)
	}
	return nil
}

// settle brings an exchange to an end from wherever it stopped: both names
// have changed places, or none of them. A name that another wrote meanwhile
// keeps what was written.
func (x *exchange) settle(ctx context.Context) error {
	switch x.Stage {
	case exchangeKept:
		now, err := x.look(ctx, x.First.Key)
		switch {
		case err != nil:
			return err
		case now.is(x.First):
			return x.dropTemp(ctx)
		case !now.like(x.Second):
			return x.orphan(x.First.Key)
		}
		x.second = now.entry
		if err := x.reached(exchangeHalf); err != nil {
			return err
		}
		return x.settle(ctx)
	case exchangeHalf:
		now, err := x.look(ctx, x.Second.Key)
		switch {
		case err != nil:
			return err
		case now.is(x.Second):
			return x.forward(ctx)
		case !now.like(x.Temp):
			return x.orphan(x.Second.Key)
		}
		x.first = now.entry
		if err := x.reached(exchangeSwapped); err != nil {
			return err
		}
	}
	return x.dropTemp(ctx)
}

// orphan ends an exchange of which another has written, or deleted, a name: it
// cannot be known whether the content that was copied aside was meant to go. It
// stays under the hidden key.
func (x *exchange) orphan(key string) error {
	x.n.o.Logger.Error("another wrote a name that was being exchanged; what it held is kept",
		"name", key, "content", x.First.Key, "kept", x.Temp.Key)
	return nil
}

// found is what S3 holds under a key; the zero value is nothing.
type found struct{ entry Entry }

func (x *exchange) look(ctx context.Context, key string) (found, error) {
	info, err := x.n.store.Head(ctx, &s3.HeadInput{Bucket: x.n.o.Bucket, Key: key})
	if errors.Is(err, s3.ErrNotFound) {
		return found{}, nil
	}
	if err != nil {
		return found{}, err
	}
	info.Key = key
	return found{x.n.FromInfo(info)}, nil
}

// is tells whether this is the very version.
func (f found) is(o exchangeObject) bool {
	return f.entry.ETag == o.ETag && f.entry.Size == o.Size && f.entry.LastModified.Unix() == o.Modified.Unix()
}

// like tells whether this may be a copy of a version: that is as large, and has
// the same ETag unless one of the two was made of parts.
func (f found) like(o exchangeObject) bool {
	parts := strings.Contains(f.entry.ETag, "-") || strings.Contains(o.ETag, "-")
	return f.entry.ETag != "" && f.entry.Size == o.Size && (f.entry.ETag == o.ETag || parts)
}
