package s3

import (
	"slices"
	"strconv"
	"strings"
)

// listToken is the position of a listing. Callers get it as an opaque string.
type listToken struct {
	server string // continuation token of the server; "" if it gave none
	after  string // last name of the previous pages
	empty  int    // number of consecutive pages without names before this position
}

// listTokenMark begins the tokens of this package. Tokens of servers do not begin with
// it.
const listTokenMark = "\x01"

// String returns the token in the form for callers.
func (t listToken) String() string {
	return listTokenMark + strconv.Itoa(t.empty) + ":" + strconv.Itoa(len(t.server)) + ":" + t.server + t.after
}

// parseListToken parses the result of String. It treats other strings as tokens of the
// server.
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

// startAfter returns the name after which a listing without a continuation token
// continues. After a common prefix it returns a name behind everything below the
// prefix: U+10FFFF is the last Unicode character.
func (t listToken) startAfter(in *LsInput) string {
	switch {
	case t.after == "":
		return in.StartAfter
	case in.Delimiter != "" && len(t.after) > len(in.Prefix) && strings.HasSuffix(t.after, in.Delimiter):
		return t.after + "\U0010FFFF"
	}
	return t.after
}

// last returns the last name of the page in the order of the listing.
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

// drop removes the names up to and including after. A server that does not continue
// exactly after that name repeats some of them.
func (p *LsPage) drop(after string) {
	if after == "" {
		return
	}
	p.Objects = slices.DeleteFunc(p.Objects, func(o ListedObject) bool { return o.Key <= after })
	p.CommonPrefixes = slices.DeleteFunc(p.CommonPrefixes, func(name string) bool { return name <= after })
}
