package daemon

import (
	"fmt"
	"io"
)

// journal writes lines to the journal through stderr, to which systemd connects it in
// a service. The severity goes before the line (sd-daemon(3)), so that
// `journalctl -p err` finds it.
type journal struct{ w io.Writer }

func (j journal) Debug(line string) error   { return j.write(7, line) }
func (j journal) Info(line string) error    { return j.write(6, line) }
func (j journal) Warning(line string) error { return j.write(4, line) }
func (j journal) Err(line string) error     { return j.write(3, line) }

func (j journal) write(severity int, line string) error {
	_, err := fmt.Fprintf(j.w, "<%d>%s", severity, line)
	return err
}
