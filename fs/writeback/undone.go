package writeback

import (
	"slices"
	"sort"
)

// undone collects the records of a journal that are not done, while the journal is read.
type undone struct {
	files    map[uint64][]left   // by file, oldest first
	order    map[uint64]int      // the place of the last record of each file
	removals map[string][]uint64 // the removals of each key
	count    int
}

func newUndone() *undone {
	return &undone{files: map[uint64][]left{}, order: map[uint64]int{}, removals: map[string][]uint64{}}
}

// add adds the next record of the journal.
func (u *undone) add(l left) {
	switch {
	case l.Kind == recordFile, l.Kind == recordName && l.Change != nil:
		u.files[l.File] = append(u.files[l.File], l)
		u.count++
		u.order[l.File] = u.count
		if l.Kind == recordName && l.Change.Kind == ChangeRemove {
			u.removals[string(l.Key)] = append(u.removals[string(l.Key)], l.File)
		}
		for _, file := range l.Ends {
			delete(u.files, file)
		}
	case l.Kind == recordDrop:
		delete(u.files, l.File)
	case l.Kind == recordDone:
		u.finish(l.File, l.Seq)
	}
}

// finish removes the records of a file up to seq. A commit waits until S3 has executed the earlier
// removals of its key. Therefore they are done, too, even if the mount died before it recorded that.
func (u *undone) finish(file, seq uint64) {
	all := u.files[file]
	n := 0
	for n < len(all) && all[n].Seq <= seq {
		n++
	}
	if n == 0 {
		return
	}
	u.files[file] = slices.Clone(all[n:])
	if last := all[n-1]; last.Kind == recordFile {
		u.removals[string(last.Key)] = slices.DeleteFunc(u.removals[string(last.Key)], func(removal uint64) bool {
			earlier := u.order[removal] < u.order[file]
			if earlier {
				delete(u.files, removal)
			}
			return earlier
		})
	}
}

// inOrder returns the last record of each file, in the order of the journal.
func (u *undone) inOrder() (out []left) {
	for _, all := range u.files {
		if n := len(all) - 1; n >= 0 {
			l := all[n]
			l.older = all[:n]
			out = append(out, l)
		}
	}
	sort.Slice(out, func(a, b int) bool { return u.order[out[a].File] < u.order[out[b].File] })
	return out
}
