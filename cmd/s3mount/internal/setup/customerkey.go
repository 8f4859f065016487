package setup

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/s3mount/s3mount/s3"
)

// customerKeyVariable is the environment variable that may hold a key for SSE-C. It belongs
// to no option, because other users can see options.
const customerKeyVariable = "S3MOUNT_SSE_C_KEY"

// maxKeyFile is more than a key has in any form, with blanks around it.
const maxKeyFile = 1024

// customerKey returns the key for SSE-C from a file or from the environment, or nil if
// there is none. No error contains the key.
func customerKey(file string, lookup func(string) (string, bool)) (*s3.CustomerKey, error) {
	if file != "" {
		key, err := readCustomerKey(file)
		if err != nil {
			return nil, fmt.Errorf("--sse-c-key-file %s: %w", file, err)
		}
		return key, nil
	}
	text, ok := lookup(customerKeyVariable)
	if !ok || text == "" {
		return nil, nil
	}
	key, err := parseCustomerKey([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("environment variable %s: %w", customerKeyVariable, err)
	}
	return key, nil
}

// readCustomerKey reads a key from a regular file that only its owner can read.
func readCustomerKey(file string) (*s3.CustomerKey, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, errors.Unwrap(err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("want a regular file")
	case info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("its mode is %04o, so that others can read the key: want 0600", info.Mode().Perm())
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return nil, err
	}
	return parseCustomerKey(text)
}

// parseCustomerKey reads a key of 32 bytes: as they are, in base64 or in hexadecimal.
func parseCustomerKey(text []byte) (*s3.CustomerKey, error) {
	var key s3.CustomerKey
	if len(text) == len(key.Key) {
		copy(key.Key[:], text)
		return &key, nil
	}
	word := strings.TrimSpace(string(text))
	for _, decode := range []func(string) ([]byte, error){hex.DecodeString, base64.StdEncoding.DecodeString} {
		if raw, err := decode(word); err == nil && len(raw) == len(key.Key) {
			copy(key.Key[:], raw)
			return &key, nil
		}
	}
	return nil, errors.New("want a key of 32 bytes: as they are, in base64 or in hexadecimal")
}
