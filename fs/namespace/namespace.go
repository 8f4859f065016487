package namespace

import (
	"context"
	"errors"
	"time"

	"github.com/s3mount/s3mount/s3"
)

// Store is what this package asks of S3; *s3.Client is one.
type Store interface {
	Head(ctx context.Context, in *s3.HeadInput) (*s3.ObjectInfo, error)
	Get(ctx context.Context, in *s3.GetInput) (*s3.GetOutput, error)
	Ls(ctx context.Context, in *s3.LsInput) (*s3.LsPage, error)
	Put(ctx context.Context, in *s3.PutInput) (*s3.PutOutput, error)
	Copy(ctx context.Context, in *s3.CopyInput) (*s3.CopyOutput, error)
	Delete(ctx context.Context, in *s3.DeleteInput) (*s3.DeleteOutput, error)
	DeleteMulti(ctx context.Context, in *s3.DeleteMultiInput) ([]s3.DeleteResult, error)
}

var errSkeleton = errors.New("not built yet")

// Namespace maps names to keys.
type Namespace struct{}

func New(store Store, o Options) (*Namespace, error)     { return nil, errSkeleton }
func (o *Options) Defaults()                             {}
func (o *Options) Validate() error                       { return nil }
func (n *Namespace) Root() Entry                         { return Entry{} }
func (n *Namespace) TTL(e Entry) time.Duration           { return 0 }
func (n *Namespace) NegativeTTL(dir Entry) time.Duration { return 0 }
func (n *Namespace) Lookup(ctx context.Context, dir Entry, name string) (Entry, error) {
	return Entry{}, errSkeleton
}
func (n *Namespace) Stat(ctx context.Context, e Entry) (Entry, error)  { return Entry{}, errSkeleton }
func (n *Namespace) NewFileKey(dir Entry, name string) (string, error) { return "", errSkeleton }
func (n *Namespace) Observe(e Entry)                                   {}
func (n *Namespace) FromInfo(info *s3.ObjectInfo) Entry                { return Entry{} }
func (n *Namespace) AddPending(key string, stat func() Entry)          {}
func (n *Namespace) DropPending(key string)                            {}
func (n *Namespace) OpenDir(dir Entry) *Lister                         { return nil }

// Lister lists one directory.
type Lister struct{}

func (l *Lister) Next(ctx context.Context) (Dirent, bool, error) { return Dirent{}, false, errSkeleton }
func (l *Lister) Seek(ctx context.Context, pos uint64) error     { return errSkeleton }
func (l *Lister) Pos() uint64                                    { return 0 }
func (l *Lister) Close()                                         {}

func (n *Namespace) Mkdir(ctx context.Context, dir Entry, name string, a Attr) (Entry, error) {
	return Entry{}, errSkeleton
}
func (n *Namespace) Mknod(ctx context.Context, dir Entry, name string, k Kind, a Attr, target string) (Entry, error) {
	return Entry{}, errSkeleton
}
func (n *Namespace) Unlink(ctx context.Context, dir Entry, name string, e Entry) error {
	return errSkeleton
}
func (n *Namespace) Rmdir(ctx context.Context, dir Entry, name string, e Entry) error {
	return errSkeleton
}

// WaitDeleted waits until no delete of key is under way. fs calls it before it
// commits a file under a key that was unlinked here.
func (n *Namespace) WaitDeleted(ctx context.Context, key string) error { return errSkeleton }

// RenameInput says what to move where.
type RenameInput struct {
	OldDir, NewDir   Entry
	OldName, NewName string
	Old              Entry
	New              *Entry // what is there now, nil if nothing
	NoReplace        bool
	Exchange         bool
	Open             []string // keys that have open inodes; for a directory rename their new entries come back
}

// RenameOutput tells what became of the source.
type RenameOutput struct {
	Entry Entry
	Moved map[string]Entry // by old key
}

func (n *Namespace) Rename(ctx context.Context, in RenameInput) (RenameOutput, error) {
	return RenameOutput{}, errSkeleton
}
func (n *Namespace) SetAttr(ctx context.Context, e Entry, a Attr) (Entry, error) {
	return Entry{}, errSkeleton
}
func (n *Namespace) Readlink(ctx context.Context, e Entry) (string, error) { return "", errSkeleton }

// FlushDir waits for the deletes of one directory and writes its index.
func (n *Namespace) FlushDir(ctx context.Context, dir Entry) error { return errSkeleton }

// Recover finishes what a mount that died left half done.
func (n *Namespace) Recover(ctx context.Context) error { return errSkeleton }
func (n *Namespace) Invalidate(key string)             {}
func (n *Namespace) InvalidateAll()                    {}
func (n *Namespace) Drain(ctx context.Context) error   { return errSkeleton }
func (n *Namespace) Close()                            {}

func (a Attr) Metadata(k Kind) map[string]string { return nil }
func AttrFromMetadata(m map[string]string, def Attr, lastModified time.Time) (Kind, Attr, bool) {
	return File, def, false
}
