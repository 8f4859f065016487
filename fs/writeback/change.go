package writeback

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// ChangeKind is the kind of a Change.
type ChangeKind string

// The kinds of changes.
const (
	ChangeRemove ChangeKind = "remove" // the name Key is removed
	ChangeRename ChangeKind = "rename" // the object at Key moves to To
	ChangeAttr   ChangeKind = "attr"   // the object at Key gets the attributes in Data
)

// Change is a change of names or attributes that a program has made and S3 does not have
// yet. This package keeps it in the journal, in order with the contents of files. The
// caller carries it out, in this mount or when Replay passes it to the next one.
type Change struct {
	Kind    ChangeKind
	Key, To string
	ETag    string          // the version of Key, or "" if it is not known
	Time    time.Time       // the time of the change, set by JournalChange
	Data    json.RawMessage // opaque data of the caller
}

// recordChange is a Change within a record. The record holds the key and the time.
type recordChange struct {
	Kind ChangeKind      `json:"kind"`
	To   []byte          `json:"to,omitempty"` // bytes, because JSON strings must be UTF-8
	ETag string          `json:"etag,omitempty"`
	Data json.RawMessage `json:"data,omitempty"`
}

// JournaledChange is a Change in the journal. It may be nil.
type JournaledChange struct {
	m  *Manager
	j  *journal
	id uint64
}

// changeLog is the journal that takes Changes. It is the journal of the contents, if the mount has
// one. Otherwise the first Change makes it.
type changeLog struct {
	open func() (*journal, error)
	made atomic.Pointer[journal] // nil: none yet
}

// newChangeLog returns the log of a mount whose contents go to the journal of, or to none.
func newChangeLog(of *journal, o Options) *changeLog {
	l := &changeLog{}
	l.made.Store(of)
	l.open = sync.OnceValues(func() (*journal, error) {
		if of != nil || o.JournalDir == "" {
			return of, nil
		}
		j, err := newJournal(o.JournalDir, o.journalLimit)
		if err == nil {
			l.made.Store(j)
		}
		return j, err
	})
	return l
}

// JournalChange writes a change into the journal. It returns nil if Options.JournalDir is not set. The
// change survives the death of the process. It survives the death of the machine only after the next
// content is persisted, as on a local file system.
func (m *Manager) JournalChange(c Change) (*JournaledChange, error) {
	j, err := m.changes.open()
	if j == nil {
		return nil, err
	}
	n := &JournaledChange{m: m, j: j, id: j.newFile()}
	err = j.appendChange(&record{Kind: recordName, File: n.id, Seq: 1, Time: time.Now(), Bucket: m.o.Bucket, Key: []byte(c.Key),
		Change: &recordChange{Kind: c.Kind, To: []byte(c.To), ETag: c.ETag, Data: c.Data}})
	if err != nil {
		return nil, fmt.Errorf("write a change of %q to the journal: %w", c.Key, err)
	}
	return n, nil
}

// Contain makes the next record of the file in the journal end n, because the properties of the file
// contain the change, or because the file replaces the one that was changed.
func (f *File) Contain(n *JournaledChange) {
	if n == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !slices.Contains(f.journal.contains, n.id) {
		f.journal.contains = append(f.journal.contains, n.id)
	}
}

// Done records that S3 has the change, or that the change is void. Further calls do nothing.
func (n *JournaledChange) Done() {
	if n == nil {
		return
	}
	if err := n.j.done(n.id, 1); err != nil {
		n.m.o.Logger.Warn("cannot record in the journal that a change is done", "error", err)
	}
}

// change returns the Change of a record.
func (r *record) change() Change {
	return Change{Kind: r.Change.Kind, Key: string(r.Key), To: string(r.Change.To), ETag: r.Change.ETag, Time: r.Time, Data: r.Change.Data}
}

// appendChange appends a record and does not wait for the disk.
func (j *journal) appendChange(r *record) error {
	seg, _, err := j.append(context.Background(), r, nil)
	if err == nil {
		j.addPending(r, seg)
	}
	return err
}

// addPending counts a record that is not done.
func (j *journal) addPending(r *record, seg *segment) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.live[r.File] = append(j.live[r.File], &pendingRecord{seg: seg, seq: r.Seq, time: r.Time, bytes: r.data()})
	seg.live++
}

// ended removes files from the pending ones after another record has replaced them.
func (j *journal) ended(files []uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, file := range files {
		for _, in := range j.live[file] {
			in.seg.live--
		}
		delete(j.live, file)
	}
}
