package main

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// journal writes lines to the journal by way of stderr, which it is connected
// to in a service: the severity goes before the line (sd-daemon(3)), so that
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

// isJournal tells whether a file is what systemd says the journal is connected
// to, by its device and inode (JOURNAL_STREAM, systemd.exec(5)).
func isJournal(f *os.File, stream string) bool {
	var st unix.Stat_t
	return stream != "" && unix.Fstat(int(f.Fd()), &st) == nil && stream == fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}
