package main

import (
	"fmt"
	"os"
)

func main() {
	in := invocation{args: os.Args, lookup: os.LookupEnv, stdout: os.Stdout}
	code := exitOK
	if err := start(in); err != nil {
		fmt.Fprintf(os.Stderr, "s3mount: %v\n", err)
		code = exitCode(err)
	}
	if isHelper(os.Args[0]) {
		code = mountExitCode(code)
	}
	os.Exit(code)
}

// start parses, then mounts: in this process if it is to stay in the
// foreground or is the one in the background already, otherwise in a new one.
func start(in invocation) error {
	var err error
	if isHelper(in.args[0]) {
		if in, err = parseHelper(in); err != nil {
			return err
		}
	}
	s, err := parse(in)
	if err != nil || s == nil || s.fake {
		return err
	}
	fmt.Printf("%+v\n", s)
	return nil
}
