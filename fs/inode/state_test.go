package inode

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/s3mount/s3mount/fs/entry"
)

// model is an inode with the expectations of a test.
type model struct {
	t     *testing.T
	r     *rand.Rand
	s     State
	now   Moment
	bytes map[string]int // the content of each version, by its ETag
	held  int            // the content of the pages that the kernel holds
	log   []string
}

func (m *model) failf(format string, args ...any) {
	m.t.Helper()
	m.t.Fatalf("%s\nafter %q\nin state %+v", fmt.Sprintf(format, args...), m.log[max(0, len(m.log)-20):], m.s)
}

// version returns a version with some content, which is new unless same is set.
func (m *model) version(same bool) entry.Entry {
	e := m.s.Entry()
	content := len(m.bytes) + 1
	if same {
		content = m.bytes[e.ETag]
	}
	e.ETag = fmt.Sprintf(`"%d"`, len(m.bytes)+1)
	m.bytes[e.ETag] = content
	e.Size, e.Exact = int64(m.r.IntN(3)), m.r.IntN(2) == 0
	if same {
		e.Size = m.s.Entry().Size
	}
	e.LastModified = time.Unix(int64(len(m.bytes)*10), 0)
	e.Attr = m.attr()
	return e
}

func (m *model) attr() entry.Attr {
	return entry.Attr{Perm: uint32(m.r.IntN(4)), UID: uint32(m.r.IntN(3)), Mtime: time.Unix(m.r.Int64N(100), 0)}
}

// event is something that happens to an inode. It checks what only it can know.
type event struct {
	name string
	run  func(m *model)
}

func events() []event {
	return []event{
		{"seen", (*model).see},
		{"committed", (*model).commit},
		{"copied", (*model).copy},
		{"replaced", (*model).replace},
		{"rekeyed", (*model).rekey},
		{"hidden", (*model).hide},
		{"learned of another kind", (*model).learnOtherKind},
		{"unlink", func(m *model) { m.leave((*State).Unlink, Unlinked) }},
		{"cut", func(m *model) { m.leave((*State).Cut, Cut) }},
		{"vanish", func(m *model) { m.leave((*State).Vanish, Ghost) }},
		{"attributes", func(m *model) { m.s.SetAttr(m.attr()); m.s.Owe() }},
		{"settled", func(m *model) { m.s.Settle() }},
		{"refused", func(m *model) { m.s.Refuse() }},
		{"opened", func(m *model) { m.s.SetPages(m.s.Entry().ETag); m.held = m.bytes[m.s.Entry().ETag] }},
		{"touch", func(m *model) { m.s.Touch(time.Unix(m.r.Int64N(1000), 0)) }},
		{"told", func(m *model) { m.s.Tell() }},
	}
}

func (m *model) see() {
	before, e := m.s, m.version(m.r.IntN(2) == 0)
	if m.r.IntN(3) == 0 {
		e = before.Entry() // no news
		e.Exact, e.Attr = m.r.IntN(2) == 0, m.attr()
	}
	in := Situation{At: Moment(m.r.IntN(int(m.now) + 1)), Unsaved: m.r.IntN(4) == 0, Shows: m.r.IntN(2) == 0}
	verdict := m.s.Learn(Seen, e, in)
	known := in.At < before.made || in.Unsaved || !before.IsLinked()
	other := in.Shows && !SameVersion(before.Entry(), e)
	want := Taken
	switch {
	case known, other && before.Owes():
		want = Ignored
	case other:
		want = Another
	}
	if verdict != want {
		m.failf("the answer %+v in %+v is %v, want %v", e, in, verdict, want)
	}
	if verdict != Taken && m.s != before {
		m.failf("an answer that was not taken has changed the state from %+v", before)
	}
	if before.Owes() && withoutXattr(m.s.Entry().Attr) != withoutXattr(before.Entry().Attr) {
		m.failf("an answer has replaced attributes that S3 does not have, %+v", before.Entry().Attr)
	}
	if verdict == Taken && SameVersion(before.Entry(), e) && before.Entry().Exact && e.ETag != "" && before.Entry().ETag == e.ETag &&
		before.Entry().LastModified.Equal(e.LastModified) && !m.s.Entry().Exact {
		m.failf("a listing of the same object made the attributes inexact")
	}
	if m.s.Epoch() != before.Epoch() || m.s.Pages() != before.Pages() {
		m.failf("an answer has changed epoch or pages")
	}
}

func withoutXattr(a entry.Attr) entry.Attr {
	a.Xattr = ""
	return a
}

func (m *model) commit() {
	before, e := m.s, m.version(false)
	m.now++
	verdict := m.s.Learn(Committed, e, Situation{At: m.now})
	if (verdict == Taken) != before.IsLinked() {
		m.failf("a commit is %v", verdict)
	}
	if verdict != Taken {
		return
	}
	if before.Pages() == before.Entry().ETag || !before.IsStored() {
		m.held = m.bytes[e.ETag] // the kernel has seen every write
	}
	after := m.s.Entry()
	if m.s.Epoch() != before.Epoch()+1 || !m.s.IsStored() || after.Attr != before.Entry().Attr || !after.Exact || after.ETag != e.ETag {
		m.failf("the commit of %+v is not the version of the inode", e)
	}
	m.s.Carried(m.attr(), m.r.IntN(2) == 0)
}

func (m *model) copy() {
	if !m.s.IsStored() {
		return // S3 can only copy existing objects
	}
	before, e := m.s, m.version(true)
	if m.r.IntN(2) == 0 {
		e.Key = fmt.Sprint("copy", m.r.IntN(5))
	}
	m.now++
	verdict := m.s.Learn(Copied, e, Situation{At: m.now})
	if (verdict == Taken) != (before.IsLinked() || e.Key == before.Key()) {
		m.failf("a copy is %v", verdict)
	}
	if before.Owes() && m.s.Entry().Attr != before.Entry().Attr {
		m.failf("a copy has replaced attributes that S3 does not have")
	}
}

func (m *model) replace() {
	before, e := m.s, m.version(false)
	in := Situation{At: m.now + 1, Open: m.r.IntN(2) == 0, Unsaved: m.r.IntN(4) == 0}
	m.now++
	if !before.IsLinked() || !before.IsStored() {
		return
	}
	verdict := m.s.Learn(Replaced, e, in)
	if (verdict == Taken) == (in.Open || in.Unsaved) {
		m.failf("another version below the attributes is %v in %+v", verdict, in)
	}
	if verdict == Taken && e.Size < before.Entry().Size && !m.s.HasShrunk() {
		m.failf("the file has shrunk unnoticed")
	}
}

func (m *model) rekey() {
	before, e := m.s, m.s.Entry()
	e.Key = fmt.Sprint("key", m.r.IntN(5))
	over := m.r.IntN(2) == 0
	verdict := m.s.Learn(Rekeyed, e, Situation{Over: over})
	if (verdict == Taken) != (before.IsLinked() && !before.IsStored()) {
		m.failf("a new key is %v", verdict)
	}
	if verdict == Taken && m.s.IsStored() != over {
		m.failf("an object under the new key: %v, want %v", m.s.IsStored(), over)
	}
}

func (m *model) hide() {
	before, e := m.s, m.version(true)
	e.Key = "hidden"
	if verdict := m.s.Learn(Hidden, e, Situation{}); (verdict == Taken) == before.IsLinked() {
		m.failf("a copy for a file without a name is %v", verdict)
	}
}

func (m *model) learnOtherKind() {
	before, e := m.s, m.version(false)
	e.Kind = entry.Directory
	for c := Seen; c <= Hidden; c++ {
		if v := m.s.Learn(c, e, Situation{At: m.now}); v != Ignored || m.s != before {
			m.failf("a directory is %v for a file, cause %d", v, c)
		}
	}
}

// leave takes the name away. Once it is gone, the state of the name never changes.
func (m *model) leave(f func(*State) bool, to Name) {
	before := m.s
	if m.r.IntN(4) > 0 {
		return // so that some inodes live longer
	}
	possible := before.IsLinked() && (to != Ghost || !before.IsStored())
	if f(&m.s) != possible {
		m.failf("the name goes to %v: %v, want %v", to, !possible, possible)
	}
	want := before
	if possible {
		want.name = to
	}
	if m.s != want {
		m.failf("a change of the name has changed more than that in %+v", before)
	}
}

// check holds the state to the invariants that every event keeps.
func (m *model) check(before State, what string) {
	s := m.s
	switch {
	case s.Epoch() < before.Epoch() || s.made < before.made:
		m.failf("%s goes back to an older version", what)
	case s.Key() != before.Key() && what != "copied" && what != "rekeyed" && what != "hidden":
		m.failf("%s changes the key", what)
	case !before.IsLinked() && s.Key() != before.Key() && what != "hidden":
		m.failf("%s gives another key to an inode without a name", what)
	case !before.IsLinked() && s.name != before.name:
		m.failf("%s brings an inode from one end of its name to another", what)
	case before.IsStored() && !s.IsStored():
		m.failf("%s makes a stored file new", what)
	case s.Pages() != "" && m.bytes[s.Pages()] != m.held:
		m.failf("%s takes pages for those of other bytes", what)
	case s.IsPlain() && (s.Owes() || !s.IsLinked() || s.HasShrunk() || s != Stored(s.Entry())):
		m.failf("%s lets more than an entry look plain", what)
	}
}

// TestRandomCauses makes random events happen to many inodes and checks the invariants
// of the package documentation.
func TestRandomCauses(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	all := events()
	happened := map[string]int{}
	for range 5000 {
		m := &model{t: t, r: r, bytes: map[string]int{}}
		e := entry.Entry{Key: "f", Kind: entry.File, Attr: m.attr(), Exact: true}
		m.s = New(e)
		if r.IntN(2) == 0 {
			m.s = Stored(m.version(false))
			m.s.entry.Key = "f"
		}
		for range 30 {
			ev := all[r.IntN(len(all))]
			m.log = append(m.log, ev.name)
			before := m.s
			ev.run(m)
			if m.s != before {
				happened[ev.name]++
			}
			m.check(before, ev.name)
		}
	}
	for _, ev := range all {
		if happened[ev.name] == 0 && ev.name != "learned of another kind" {
			t.Errorf("%q never changed anything", ev.name)
		}
	}
}
