package s3

import (
	"slices"
	"strconv"
	"strings"
)

// listToken is where a listing goes on. Callers see it as one opaque string.
type listToken struct {
	server string // the continuation token of the server; "" if it gave none
	after  string // the last name of the pages before
	empty  int    // how many pages without a name came last
}

// listTokenMark begins the tokens of this package. No server's does.
const listTokenMark = "\x01"

// String returns the token as callers get it.
func (t listToken) String() string {
	return listTokenMark + strconv.Itoa(t.empty) + ":" + strconv.Itoa(len(t.server)) + ":" + t.server + t.after
}

// parseListToken reads what String returned. Another text is taken for a token
// of the server.
func parseListToken(s string) listToken {
	rest, ours := strings.CutPrefix(s, listTokenMark)
	empty, rest, ok1 := strings.Cut(rest, ":")
	size, rest, ok2 := strings.Cut(rest, ":")
	n, err1 := strconv.Atoi(size)
	e, err2 := strconv.Atoi(empty)
	if !ours || !ok1 || !ok2 || err1 != nil || err2 != nil || n < 0 || n > len(rest) || e < 0 {
		return listToken{server: s}
	}
	return listToken{server: rest[:n], after: rest[n:], empty: e}
}

// startAfter is the name after which a listing without a server's token goes on.
// After a common prefix, that is behind everything below the prefix: the last
// character of Unicode follows it.
func (t listToken) startAfter(in *LsInput) string {
	switch {
	case t.after == "":
		return in.StartAfter
	case in.Delimiter != "" && len(t.after) > len(in.Prefix) && strings.HasSuffix(t.after, in.Delimiter):
		return t.after + "\U0010FFFF"
	}
	return t.after
}

// last is the last name of the page in the order of the listing.
func (p *LsPage) last() string {
	last := ""
	if n := len(p.Objects); n > 0 {
		last = p.Objects[n-1].Key
	}
	if n := len(p.CommonPrefixes); n > 0 {
		last = max(last, p.CommonPrefixes[n-1])
	}
	return last
}

// drop removes the names up to and including after, which a server repeats that
// goes on after them in its own way.
func (p *LsPage) drop(after string) {
	if after == "" {
		return
	}
	p.Objects = slices.DeleteFunc(p.Objects, func(o ListedObject) bool { return o.Key <= after })
	p.CommonPrefixes = slices.DeleteFunc(p.CommonPrefixes, func(name string) bool { return name <= after })
}
