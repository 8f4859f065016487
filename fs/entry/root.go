package entry

import "strings"

// reservedDir holds the hints of this tool, below the root of the mount.
const reservedDir = ".s3mount/"

// Root is the prefix of all keys of a mount: "", or a string that ends in "/".
type Root string

// Split splits a key into the prefix of its directory and the rest: "a/b/" becomes
// "a/" and "b/".
func (r Root) Split(key string) (dir, rel string) {
	i := strings.LastIndexByte(strings.TrimSuffix(key, "/"), '/') + 1
	if strings.HasSuffix(key, "//") {
		i = len(key) - 1 // the last segment is empty
	}
	i = max(i, len(r))
	return key[:min(i, len(key))], key[min(i, len(key)):]
}

// SplitFile splits the key of a file into directory and rel. An object with data under
// the key "d/" is a file in the directory "d/" whose rel is empty.
func (r Root) SplitFile(key string) (dir, rel string) {
	if strings.HasSuffix(key, "/") {
		return key, ""
	}
	return r.Split(key)
}

// RowOf returns the directory and the rel of an entry.
func (r Root) RowOf(e Entry) (dir, rel string) {
	if e.Kind == Directory {
		return r.Split(e.Key)
	}
	return r.SplitFile(e.Key)
}

// Stem returns the prefix of the directory that e is in S3. For a directory of names
// that are too long, stem is the beginning of the segment that all of them share.
func (r Root) Stem(e Entry) (base, stem string) {
	if e.Key == string(r) || strings.HasSuffix(e.Key, "/") {
		return e.Key, ""
	}
	i := max(strings.LastIndexByte(e.Key, '/')+1, len(r))
	return e.Key[:i], e.Key[i:]
}

// ReservedDir returns the directory of the hints of this tool.
func (r Root) ReservedDir() string { return string(r) + reservedDir }

// ReservedRel is the rel of ReservedDir in the root.
const ReservedRel = reservedDir

// IsReserved reports whether a row lies in the directory of the hints.
func (r Root) IsReserved(dir, rel string) bool {
	return dir == string(r) && strings.HasPrefix(rel, reservedDir)
}
