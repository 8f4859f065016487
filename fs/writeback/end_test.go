package writeback

import "testing"

// TestEndWithOpenFiles checks that the dirty bytes of files that are open when the manager closes go to
// the recovery directory.
func TestEndWithOpenFiles(t *testing.T) {
	dir := t.TempDir()
	b := newBench(t, dir, 16<<20, withJournal(dir))
	b.s.hook(func(string, string) error { return errFake }, nil)
	lost, promised, gone := b.Open(OpenInput{Key: "lost"}), b.Open(OpenInput{Key: "promised"}), b.Open(OpenInput{Key: "gone"})
	for _, f := range []*File{lost, promised, gone} {
		mustWrite(t, f, []byte(f.Key()), 0)
	}
	gone.Discard()
	mustPersist(t, promised)
	if err := b.Drain(t.Context()); err == nil {
		t.Error("drained without S3")
	}
	if err := b.Manager.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	sameContent(t, "recovery file", recovered(t, dir), []byte("lost"))
	if st := b.Stats(); st.Files != 0 || st.Memory != 0 || st.Dirty != 0 {
		t.Errorf("I9: %+v at the end", st)
	}
	after := newBench(t, dir, 16<<20, withJournal(dir))
	mustReplay(t, after, 1)
	sameContent(t, "object", after.s.object("promised"), []byte("promised"))
	after.end(t)
}
