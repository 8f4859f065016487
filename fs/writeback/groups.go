package writeback

import "strings"

// groupByKeys groups records that must be carried out in the order of the journal: records of the same
// key, of the two keys of a rename, and of keys in a directory that is removed.
func groupByKeys(all []left) [][]left {
	g := keyGroups{}
	dirs := map[string]bool{}
	for _, l := range all {
		if l.Kind == recordName && l.Change.Kind == ChangeRemove && strings.HasSuffix(string(l.Key), "/") {
			dirs[string(l.Key)] = true
		}
	}
	for _, l := range all {
		key := string(l.Key)
		if l.Kind == recordName && len(l.Change.To) > 0 {
			g.join(key, string(l.Change.To))
		}
		for i := 0; i < len(key)-1; i++ {
			if key[i] == '/' && dirs[key[:i+1]] {
				g.join(key, key[:i+1])
			}
		}
	}
	at := map[string]int{}
	var out [][]left
	for _, l := range all {
		root := g.find(string(l.Key))
		i, ok := at[root]
		if !ok {
			i = len(out)
			at[root] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], l)
	}
	return out
}

// keyGroups is a union-find structure of keys. It maps a key to its parent.
type keyGroups map[string]string

func (g keyGroups) find(key string) string {
	for {
		parent, ok := g[key]
		if !ok {
			return key
		}
		if up, ok := g[parent]; ok {
			g[key] = up // path halving
		}
		key = parent
	}
}

func (g keyGroups) join(a, b string) {
	if a, b = g.find(a), g.find(b); a != b {
		g[b] = a
	}
}
