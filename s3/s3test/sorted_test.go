package s3test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// keysOf draws keys of few different letters, those at the ends of all orders among them.
func keysOf(shortest, longest int) *rapid.Generator[string] {
	letter := rapid.SampledFrom([]string{"a", "b", "/", "\x00", "\xff", "\ufffd", "\U0010ffff"})
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(letter, shortest, longest).Draw(t, "letters"), "")
	})
}

// TestSortedMapModel compares the ordered store with a map and a sort, over
// few enough letters that keys meet, nest and share prefixes, and runs long
// enough that leaves split and join.
func TestSortedMapModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m sortedMap[int]
		model := map[string]int{}
		key := keysOf(0, 6)
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				k, v := key.Draw(t, "key"), rapid.Int().Draw(t, "value")
				old, replaced := m.Set(k, v)
				if want, ok := model[k]; ok != replaced || old != want {
					t.Fatalf("Set(%q) replaced %d %t, want %d %t", k, old, replaced, want, ok)
				}
				model[k] = v
			},
			"setMany": func(t *rapid.T) {
				from, n := rapid.IntRange(0, 5000).Draw(t, "from"), rapid.IntRange(1, 2000).Draw(t, "n")
				for i := range n {
					k := fmt.Sprintf("b%05d", from+i)
					m.Set(k, i)
					model[k] = i
				}
			},
			"delete": func(t *rapid.T) {
				k := key.Draw(t, "key")
				old, deleted := m.Delete(k)
				if want, ok := model[k]; ok != deleted || old != want {
					t.Fatalf("Delete(%q) = %d %t, want %d %t", k, old, deleted, want, ok)
				}
				delete(model, k)
			},
			"deleteMany": func(t *rapid.T) {
				from, n := rapid.IntRange(0, 5000).Draw(t, "from"), rapid.IntRange(1, 2000).Draw(t, "n")
				for i := range n {
					k := fmt.Sprintf("b%05d", from+i)
					m.Delete(k)
					delete(model, k)
				}
			},
			"get": func(t *rapid.T) {
				k := key.Draw(t, "key")
				v, ok := m.Get(k)
				if want, had := model[k]; ok != had || v != want {
					t.Fatalf("Get(%q) = %d %t, want %d %t", k, v, ok, want, had)
				}
			},
			"seek": func(t *rapid.T) {
				k := key.Draw(t, "key")
				at, after := m.Seek(k), m.SeekAfter(k)
				for _, have := range slices.Sorted(maps.Keys(model)) {
					if have >= k && (!at.Valid() || at.Key() != have) {
						t.Fatalf("Seek(%q) misses %q", k, have)
					}
					if have >= k {
						break
					}
				}
				if after.Valid() && after.Key() <= k {
					t.Fatalf("SeekAfter(%q) is at %q", k, after.Key())
				}
			},
			"": func(t *rapid.T) { checkSorted(t, &m, model) },
		})
	})
}

// checkSorted holds the whole map to the model and to its invariants.
func checkSorted(t *rapid.T, m *sortedMap[int], model map[string]int) {
	if m.Len() != len(model) {
		t.Fatalf("Len = %d, want %d", m.Len(), len(model))
	}
	keys := make([]string, 0, len(model))
	for p := m.Seek(""); p.Valid(); p = p.Next() {
		if p.Value() != model[p.Key()] {
			t.Fatalf("%q = %d, want %d", p.Key(), p.Value(), model[p.Key()])
		}
		keys = append(keys, p.Key())
	}
	if want := slices.Sorted(maps.Keys(model)); !slices.Equal(keys, want) {
		t.Fatalf("keys = %q, want %q", keys, want)
	}
	for i, l := range m.leaves {
		if len(l.keys) == 0 || len(l.keys) > leafSize || len(l.keys) != len(l.values) {
			t.Fatalf("leaf %d holds %d keys, %d values", i, len(l.keys), len(l.values))
		}
	}
}

// TestListModel compares every page of every listing with the definition.
func TestListModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOf(keysOf(1, 5)).Draw(t, "keys")
		prefix := rapid.StringMatching(`[ab/]{0,2}`).Draw(t, "prefix")
		delimiter := rapid.SampledFrom([]string{"", "/", "a", "//", "\xff", "\ufffd"}).Draw(t, "delimiter")
		limit := rapid.IntRange(1, 4).Draw(t, "limit")
		b := &bucket{}
		for _, k := range keys {
			b.put(k, &object{})
		}
		var got []string
		after := ""
		for {
			rows, more := b.list(prefix, delimiter, after, limit)
			for _, r := range rows {
				got = append(got, r.key)
			}
			if len(rows) > limit || more && len(rows) != limit {
				t.Fatalf("page of %d rows, more %t, limit %d", len(rows), more, limit)
			}
			if !more {
				break
			}
			after = rows[len(rows)-1].key
		}
		if want := listModel(keys, prefix, delimiter); !slices.Equal(got, want) {
			t.Fatalf("list = %q, want %q", got, want)
		}
	})
}

// listModel is a listing by its definition: every key of the prefix, rolled up, sorted, once.
func listModel(keys []string, prefix, delimiter string) []string {
	seen := map[string]bool{}
	for _, k := range keys {
		rest, ok := strings.CutPrefix(k, prefix)
		if !ok {
			continue
		}
		if i := strings.Index(rest, delimiter); delimiter != "" && i >= 0 {
			k = prefix + rest[:i+len(delimiter)]
		}
		seen[k] = true
	}
	return slices.Sorted(maps.Keys(seen))
}

// TestContentModel compares shared, repeated and sliced content with plain bytes.
func TestContentModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c content
		var want []byte
		for range rapid.IntRange(0, 6).Draw(t, "pieces") {
			p := rapid.SliceOfN(rapid.Byte(), 1, 20).Draw(t, "bytes")
			switch rapid.IntRange(0, 2).Draw(t, "kind") {
			case 0:
				c, want = join(c, newContent(p)), append(want, p...)
			case 1:
				n := rapid.IntRange(0, 50).Draw(t, "n")
				c = join(c, repeated(p, int64(n)))
				for i := range n {
					want = append(want, p[i%len(p)])
				}
			case 2:
				zeros := make([]byte, zeroPageSize+rapid.IntRange(0, 3).Draw(t, "more"))
				c.addBytes(zeros)
				want = append(want, zeros...)
			}
		}
		first := rapid.IntRange(0, len(want)).Draw(t, "first")
		n := rapid.IntRange(0, len(want)-first).Draw(t, "n")
		if got := c.bytes(); string(got) != string(want) {
			t.Fatalf("content differs: %d bytes, want %d", len(got), len(want))
		}
		if got := c.slice(int64(first), int64(n)).bytes(); string(got) != string(want[first:first+n]) {
			t.Fatalf("slice [%d,+%d) differs", first, n)
		}
	})
}

// BenchmarkList is one page of a bucket of a million keys, deep inside.
func BenchmarkList(b *testing.B) {
	bk := &bucket{}
	o := &object{}
	for i := range 1_000_000 {
		bk.put(fmt.Sprintf("d%03d/f%04d", i/1000, i%1000), o)
	}
	for _, c := range []struct{ name, prefix, delimiter, after string }{
		{"flat", "", "", "d500/f0500"},
		{"prefix", "d500/", "", ""},
		{"delimiter", "", "/", ""},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if rows, _ := bk.list(c.prefix, c.delimiter, c.after, 1000); len(rows) != 1000 {
					b.Fatal(len(rows))
				}
			}
		})
	}
}
