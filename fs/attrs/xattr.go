package attrs

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
)

// MetaXattr is the user metadata that holds all extended attributes of an object, as
// s3fs keeps them: a JSON object of names to values in base64, with percent escapes,
// so that it is plain ASCII.
const MetaXattr = "xattr"

const (
	// maxMetadata is the size limit of S3 for user metadata, names and values together
	// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html).
	maxMetadata = 2 << 10
	// attrMetadata is the largest size of mode, owner and times in it.
	attrMetadata = 200
)

// ErrXattr is the error for extended attributes in a form that this package does not
// read.
var ErrXattr = errors.New("unknown form of extended attributes")

// XattrRoom returns how many bytes Attr.Xattr may have beside the user metadata
// of other tools.
func XattrRoom(others map[string]string) int {
	room := maxMetadata - attrMetadata - len(MetaXattr)
	own := ownKeys()
	for key, value := range others {
		if !slices.Contains(own, key) {
			room -= len(key) + len(value)
		}
	}
	return max(room, 0)
}

// DecodeXattrs reads Attr.Xattr and returns the values by name. The error is ErrXattr.
func DecodeXattrs(s string) (map[string][]byte, error) {
	if s == "" {
		return nil, nil
	}
	text, err := url.PathUnescape(s)
	if err != nil {
		return nil, fmt.Errorf("undo percent escapes: %w: %w", err, ErrXattr)
	}
	var coded map[string]string
	if err := json.Unmarshal([]byte(text), &coded); err != nil {
		return nil, fmt.Errorf("read JSON: %w: %w", err, ErrXattr)
	}
	m := map[string][]byte{}
	for name, value := range coded {
		b, err := base64.StdEncoding.DecodeString(value)
		if err != nil {
			return nil, fmt.Errorf("read the value of %q: %w: %w", name, err, ErrXattr)
		}
		m[name] = b
	}
	return m, nil
}

// EncodeXattrs is the inverse of DecodeXattrs. The same attributes always give
// the same text; none give "".
func EncodeXattrs(m map[string][]byte) string {
	if len(m) == 0 {
		return ""
	}
	coded := map[string]string{}
	for name, value := range m {
		coded[name] = base64.StdEncoding.EncodeToString(value)
	}
	text, _ := json.Marshal(coded) // in order of names; a map of strings always has a form
	return url.PathEscape(string(text))
}
