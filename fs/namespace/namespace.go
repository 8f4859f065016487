package namespace

import (
	"context"
	"fmt"

	"github.com/s3mount/s3mount/fs/listing"
	"github.com/s3mount/s3mount/s3"
)

// Store lists the S3 calls of this package. *s3.Client implements it.
type Store interface {
	Head(ctx context.Context, in *s3.HeadInput) (*s3.ObjectInfo, error)
	Get(ctx context.Context, in *s3.GetInput) (*s3.GetOutput, error)
	Ls(ctx context.Context, in *s3.LsInput) (*s3.LsPage, error)
	Put(ctx context.Context, in *s3.PutInput) (*s3.PutOutput, error)
	Copy(ctx context.Context, in *s3.CopyInput) (*s3.CopyOutput, error)
	Delete(ctx context.Context, in *s3.DeleteInput) (*s3.DeleteOutput, error)
	DeleteMulti(ctx context.Context, in *s3.DeleteMultiInput) ([]s3.DeleteResult, error)
	// DeletesCompare reports whether the server checks the ETag of a delete.
	DeletesCompare(ctx context.Context, bucket string) bool
}

// Namespace maps names to keys and knows what S3 holds under them. It only puts its
// parts together; each part has the methods of one responsibility and uses the parts
// before it. All methods are safe for concurrent use.
type Namespace struct {
	*bucket     // the bucket and the options
	*view       // cached and pending entries
	*objects    // requests for single objects
	*attributes // exact attributes
	*finder     // lookups and listings
	*keeper     // markers of directories that lose their last child
	*queue      // pending deletions
	*remover    // unlink and rmdir
	*maker      // mkdir and mknod
	*attrWriter // chmod, chown, utimens
	*renamer    // rename
	*recovery   // unfinished work of dead mounts
}

// New returns the namespace of a bucket. It makes no request.
func New(store Store, o Options) (*Namespace, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("namespace: %w", err)
	}
	n := &Namespace{bucket: newBucket(store, o)}
	n.connect()
	return n, nil
}

// connect makes the parts, which know nothing yet.
func (n *Namespace) connect() {
	n.view = newView(n.bucket)
	fetcher := listing.NewFetcher(n.store, n.view.known, n.jobs)
	n.objects = &objects{bucket: n.bucket, view: n.view, fetcher: fetcher}
	n.attributes = newAttributes(n.objects)
	n.finder = &finder{
		bucket: n.bucket, view: n.view, objects: n.objects, attributes: n.attributes,
		fetcher: fetcher, walks: listing.NewWalks(n.keys),
	}
	n.keeper = &keeper{bucket: n.bucket, view: n.view, objects: n.objects, keeping: map[string]*keeping{}}
	n.queue = newQueue(n.objects, n.keeper)
	n.remover = &remover{bucket: n.bucket, view: n.view, objects: n.objects, finder: n.finder, queue: n.queue}
	n.maker = &maker{bucket: n.bucket, view: n.view, objects: n.objects, finder: n.finder, queue: n.queue}
	n.attrWriter = &attrWriter{bucket: n.bucket, view: n.view, objects: n.objects}
	n.renamer = &renamer{
		bucket: n.bucket, view: n.view, objects: n.objects, attributes: n.attributes,
		keeper: n.keeper, queue: n.queue, remover: n.remover,
	}
	n.recovery = &recovery{
		bucket: n.bucket, view: n.view, objects: n.objects, finder: n.finder,
		queue: n.queue, remover: n.remover, renamer: n.renamer,
	}
}

// Close stops all background work without finishing it: call Drain first.
func (n *Namespace) Close() {
	n.jobs.Close()
	if err := n.removals.close(); err != nil {
		n.o.Logger.Warn("cannot close the record of removals", "err", err)
	}
}

// Drain waits for everything that this package still has to write.
func (n *Namespace) Drain(ctx context.Context) error {
	if err := n.waitBelow(ctx, ""); err != nil {
		return fmt.Errorf("drain: %w", err)
	}
	if err := n.view.index.Drain(ctx); err != nil {
		return fmt.Errorf("drain: %w", err)
	}
	return n.takeErrors()
}
