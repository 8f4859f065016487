package fs

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/s3mount/s3mount/cache"
	"github.com/s3mount/s3mount/fs/namespace"
	"github.com/s3mount/s3mount/fs/readahead"
	"github.com/s3mount/s3mount/fs/writeback"
	"github.com/s3mount/s3mount/s3"
)

// store lists the S3 calls of fs and the packages below it.
type store interface {
	namespace.Store
	readahead.Store
	writeback.Store
}

var _ store = (*s3.Client)(nil)

// filesystem implements the FUSE operations. Each operation is in the file of its
// group.
type filesystem struct {
	*services
	*teller
	*noter
	*saver
	*finder
	*opener
	*passer
	*unlinker
	*renamer
	*lifetime
	runs   *removalRuns
	access *access
}

// services contains the fields that all parts of a filesystem use.
type services struct {
	o      Options
	log    *slog.Logger
	store  store
	ns     *namespace.Namespace
	blocks *cache.Blocks
	reads  *readahead.Manager
	writes *writeback.Manager

	inodes   *inodes
	gate     *nameGate
	handles  *handles
	checks   checks
	permits  permitted
	archived archiveHint
	space    *space

	// ending ends when the unmount begins. Data in the journal then wait for the next
	// mount.
	ending context.Context
	end    context.CancelFunc
	closes closeWaits
	// life is the context of all work in the background. watching counts goroutines
	// that wait for S3 to execute records of the journal.
	life     context.Context
	stop     context.CancelFunc
	watching sync.WaitGroup
}

func newFilesystem(s store, o Options) (*filesystem, error) {
	if o.NoList {
		s = unlisted{s}
	}
	s = newKeyGate(s)
	f := &services{o: o, log: o.Logger, store: s, handles: newHandles(), closes: closeWaits{log: o.Logger}}
	f.ending, f.end = context.WithCancel(context.Background())
	f.life, f.stop = context.WithCancel(context.Background())
	budget := cache.NewBudget(o.MemoryLimit)
	pool := cache.NewPool(budget)
	var err error
	if f.blocks, err = o.newBlocks(pool); err != nil {
		return nil, err
	}
	f.reads = readahead.New(s, f.blocks, readahead.Options{
		Bucket: o.Bucket, Connections: o.Connections, Deadline: o.Deadline, Logger: o.Logger,
	}.Defaults())

	f.space = newSpace(o, func() int64 { return f.writes.Stats().Unsaved })
	named := o.namespaceOptions(budget)
	if f.space.counts() {
		named.Resized = f.space.changed
	}
	if f.ns, err = namespace.New(s, named); err != nil {
		return nil, errors.Join(fmt.Errorf("start namespace: %w", err), f.blocks.Close())
	}
	if f.writes, err = writeback.New(s, pool, f.writebackOptions()); err != nil {
		return nil, errors.Join(fmt.Errorf("start writeback: %w", err), f.blocks.Close())
	}
	f.inodes = newInodes(f.ns.Root())
	f.inodes.bound(o.MemoryLimit/inodeShare, chargeTo(budget))
	f.gate = newNameGate(f.inodes)
	if f.space.counts() && !o.NoList {
		go f.space.run(f.life, s.Ls, o.Bucket, f.log)
	}
	return assemble(f), nil
}

// assemble makes the parts of a filesystem.
func assemble(all *services) *filesystem {
	tell, note := &teller{services: all}, &noter{all}
	save := &saver{services: all, teller: tell, noter: note}
	save.attrs = newAttrQueue(all.life, all.inodes, all.o.Connections, save.flushAttrs)
	all.inodes.reaped = save.forgotten
	find := &finder{services: all, teller: tell}
	ask := newAccess(find)
	open := &opener{services: all, teller: tell, finder: find, saver: save, access: ask}
	unlink := &unlinker{services: all, teller: tell, finder: find, saver: save, opener: open}
	return &filesystem{
		services: all, teller: tell, noter: note, saver: save, finder: find, opener: open, passer: &passer{services: all}, unlinker: unlink,
		renamer:  &renamer{services: all, noter: note, saver: save, finder: find, unlinker: unlink, access: ask},
		lifetime: &lifetime{services: all, noter: note, saver: save, patience: endPatience},
		runs:     newRemovalRuns(), access: ask,
	}
}

func (o Options) namespaceOptions(budget *cache.Budget) namespace.Options {
	n := namespace.DefaultOptions()
	n.Bucket, n.Prefix = o.Bucket, o.Prefix
	n.TTL = max(o.MetadataTTL, time.Nanosecond) // with 1 ns no cached entry is fresh
	n.FilePerm, n.DirPerm, n.UID, n.GID = o.FileMode, o.DirMode, o.UID, o.GID
	n.Posix = namespace.Posix(o.Posix)
	n.StateDir, n.AttrDir = o.stateOf("rename"), o.stateOf("attributes")
	n.DeleteSync = o.Delete == deleteSync
	n.Journaled = o.Durability == durabilityJournal
	n.ReadOnly = o.ReadOnly
	n.Connections = o.Connections
	// Names may take half of the memory. Data cannot use the bytes that they take.
	n.MemoryLimit = o.MemoryLimit / 2
	n.Charge = chargeTo(budget)
	n.Logger = o.Logger
	return n
}

// chargeTo returns a function that charges a budget for memory that is already in use.
func chargeTo(budget *cache.Budget) func(delta int64) {
	return func(delta int64) {
		if delta > 0 {
			budget.Force(delta)
		} else {
			budget.Release(-delta)
		}
	}
}

// journalDirs returns the directory in which all mounts of the bucket keep their
// journals, independent of their prefix, and the directories of earlier versions.
func (o Options) journalDirs() (dir string, old []string) {
	whole := o
	whole.Prefix = ""
	dir = whole.stateOf("journal")
	if o.Prefix != "" {
		old = []string{o.stateOf("journal")}
	}
	return dir, old
}

// stateOf returns a directory for one kind of state about this bucket and prefix.
func (o Options) stateOf(kind string) string {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s\x00%s\x00%s", o.Endpoint, o.Bucket, o.Prefix)
	bucket := strings.ReplaceAll(o.Bucket, "/", "_") // an ARN has slashes
	return filepath.Join(o.StateDir, kind, fmt.Sprintf("%s-%016x", bucket, h.Sum64()))
}

func (f *services) writebackOptions() writeback.Options {
	w := writeback.Defaults()
	w.Bucket = f.o.Bucket
	w.PartSize = f.o.PartSize
	w.Connections = f.o.Connections
	w.SpoolDir = f.o.SpoolDir
	if w.SpoolDir == "" {
		w.SpoolDir = filepath.Join(f.o.StateDir, "spool")
	}
	w.RecoveryDir = filepath.Join(f.o.StateDir, "recovery")
	w.StateDir = f.o.stateOf("uploads")
	w.ScratchPrefix = f.o.Prefix + zerosPrefix
	w.JournalDir, w.OldJournalDirs = f.o.journalDirs()
	w.Prefix = f.o.Prefix
	w.Journal = f.o.Durability == durabilityJournal && !f.o.ReadOnly
	if w.Journal {
		w.Linger = f.o.Linger
	}
	w.OpenBase = f.writebackBase
	w.Keep = func(v writeback.Version, bytes io.Reader) {
		f.reads.Keep(readahead.Version{Key: v.Key, ETag: v.ETag, Size: v.Size}, bytes)
	}
	w.Ready = f.ns.WaitDeleted
	w.Conflict = writeback.ConflictPolicy(f.o.Conflict)
	w.Logger = f.o.Logger
	return w
}

// writebackBase opens a version for writeback to read.
func (f *services) writebackBase(v writeback.Version) writeback.BaseReader {
	return f.reads.OpenVersion(readahead.Version{Key: v.Key, ETag: v.ETag, Size: v.Size})
}

// drain returns when S3 has everything that was written so far. After an error it
// continues with the rest, and returns all errors.
func (f *lifetime) drain(ctx context.Context) error {
	var g errgroup.Group
	g.SetLimit(f.o.Connections)
	for _, n := range f.inodes.all() {
		g.Go(func() error {
			err := unlessKept(f.commit(ctx, n))
			if err == nil {
				f.letGo(ctx, n) // released files need not wait any longer
			}
			return errors.Join(err, f.flushAttrs(ctx, n))
		})
	}
	return errors.Join(g.Wait(), f.writes.Drain(ctx), f.ns.Drain(ctx))
}

// untilEnding returns a context that also ends with the mount if it has a journal.
func (f *saver) untilEnding(ctx context.Context) (context.Context, context.CancelFunc) {
	if f.o.Durability != durabilityJournal {
		return ctx, func() {}
	}
	ctx, stop := context.WithCancel(ctx)
	unhook := context.AfterFunc(f.ending, stop)
	return ctx, func() { unhook(); stop() }
}

// close closes the packages below. It is called after drain.
func (f *lifetime) close() error {
	if f.gaveUp.Load() != nil {
		f.stop() // the remaining work would only wait for S3
	}
	f.attrs.close()
	f.stop()
	f.watching.Wait()
	err := f.writes.Close()
	f.ns.Close()
	f.reads.Close()
	return errors.Join(err, f.blocks.Close())
}

// resolve returns the inode of a name and pins it. The caller must unpin it.
func (f *finder) resolve(ctx context.Context, dir *inode, name string) (*inode, error) {
	if n := f.inodes.pinChild(dir, name); n != nil {
		return n, nil
	}
	n, err := f.lookupName(ctx, dir, name)
	if err != nil {
		return nil, err
	}
	f.inodes.pin(n)
	f.inodes.forget(n.id, 1)
	return n, nil
}

// background returns a context for work without a caller. Its timeout is a last resort,
// because package s3 ends its calls earlier (P12).
func background() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), time.Hour)
}
