package writeback

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// ChangeKind says what a Change does.
type ChangeKind string

// The kinds of changes.
const (
	ChangeRemove ChangeKind = "remove" // the name Key is gone
	ChangeRename ChangeKind = "rename" // the object at Key moves to To
	ChangeAttr   ChangeKind = "attr"   // the object at Key gets the attributes in Data
)

// Change is work on names or attributes that a program was told is done, or was
// begun for it, and that S3 does not hold yet. This package keeps it in the
// journal, in the order of its path among the contents of files; the caller
// carries it out, in this mount or when Replay hands it over in the next.
type Change struct {
	Kind    ChangeKind
	Key, To string
	ETag    string          // the version of Key that is meant; "" if there is no knowing
	Time    time.Time       // of the promise; Note sets it
	Data    json.RawMessage // what else the caller needs; nothing to this package
}

// recordChange is a Change within a record, which holds its key and time.
type recordChange struct {
	Kind ChangeKind      `json:"kind"`
	To   []byte          `json:"to,omitempty"` // JSON has no strings that are not UTF-8
	ETag string          `json:"etag,omitempty"`
	Data json.RawMessage `json:"data,omitempty"`
}

// Noted is a Change in the journal. Nil is one that needs none.
type Noted struct {
	m  *Manager
	id uint64
}

// Note writes a change into the journal; without one it does nothing. The
// change survives the death of the process, and that of the machine with the
// next content that is persisted: names are promised no more on a local disk.
func (m *Manager) Note(c Change) (*Noted, error) {
	if m.journal == nil {
		return nil, nil
	}
	n := &Noted{m: m, id: m.journal.newFile()}
	err := m.journal.note(&record{Kind: recordName, File: n.id, Seq: 1, Time: time.Now(), Bucket: m.o.Bucket, Key: []byte(c.Key),
		Change: &recordChange{Kind: c.Kind, To: []byte(c.To), ETag: c.ETag, Data: c.Data}})
	if err != nil {
		return nil, fmt.Errorf("note a change of %q: %w", c.Key, err)
	}
	return n, nil
}

// Done says that S3 has the change, or that it is void. It may be called again.
func (n *Noted) Done() {
	if n == nil {
		return
	}
	if err := n.m.journal.done(n.id, 1); err != nil {
		n.m.o.Logger.Warn("cannot note in the journal that a change is done", "error", err)
	}
}

// change is the Change of a record.
func (r *record) change() Change {
	return Change{Kind: r.Change.Kind, Key: string(r.Key), To: string(r.Change.To), ETag: r.Change.ETag, Time: r.Time, Data: r.Change.Data}
}

// note appends a record and does not wait for the disk.
func (j *journal) note(r *record) error {
	seg, _, err := j.append(context.Background(), r, nil)
	if err == nil {
		j.took(r, seg)
	}
	return err
}

// took counts a record that is not done.
func (j *journal) took(r *record, seg *segment) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.live[r.File] = append(j.live[r.File], &intent{seg: seg, seq: r.Seq, time: r.Time, bytes: r.data()})
	seg.live++
}

// ended stops to count files whose place a record on disk has taken.
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
