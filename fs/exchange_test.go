package fs

import (
	"syscall"
	"testing"
)

// TestExchangeOpenFiles: what is open follows its name, and what is unsaved is
// saved first.
func TestExchangeOpenFiles(t *testing.T) {
	k := newKernel(t)
	k.must(k.mkdir("d"), "mkdir", "d")
	k.put("a", "the first")
	reader := k.openFile("a", syscall.O_RDONLY)
	writer := k.openFile("a", syscall.O_RDWR)
	k.write(writer, 4, "FIRST")
	unsaved := k.create("d/b", syscall.O_RDWR)
	k.write(unsaved, 0, "second")

	k.must(k.rename("a", "d/b", renameExchange), "exchange", "a")
	k.wantObject("d/b", "the FIRST")
	k.wantObject("a", "second")
	if got := k.read(reader, 0, 20); got != "the FIRST" {
		t.Errorf("the handle of the first file reads %q", got)
	}
	k.write(writer, 0, "new")
	k.write(unsaved, 6, "!")
	k.close(writer)
	k.close(unsaved)
	k.close(reader)
	k.wantObject("d/b", "new FIRST")
	k.wantObject("a", "second!")
	if a, b := k.cat("a"), k.cat("d/b"); a != "second!" || b != "new FIRST" {
		t.Errorf("after the exchange a reads %q, d/b %q", a, b)
	}
	again := remount(t, k.srv)
	if a, b := again.cat("a"), again.cat("d/b"); a != "second!" || b != "new FIRST" {
		t.Errorf("on another mount a reads %q, d/b %q", a, b)
	}
}
