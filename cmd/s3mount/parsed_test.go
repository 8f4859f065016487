package main

import (
	"bytes"
	"strings"
)

// parsed parses a command line with the environment given as NAME=value.
func parsed(args []string, env ...string) (*settings, string, error) {
	lookup := func(name string) (string, bool) {
		for _, kv := range env {
			if value, ok := strings.CutPrefix(kv, name+"="); ok {
				return value, true
			}
		}
		return "", false
	}
	var stdout bytes.Buffer
	s, err := parse(invocation{args: append([]string{"s3mount"}, args...), lookup: lookup, stdout: &stdout})
	return s, stdout.String(), err
}
