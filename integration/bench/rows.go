package main

import "slices"

// smallSize is the size of small files such as source code, mails and thumbnails.
const smallSize = 4096

// group is a section of the table.
type group struct {
	title string
	rows  []row
}

// groups returns the groups in the order of the table.
func groups() []group {
	all := []group{
		{"Reading", readRows()},
		{"Names", nameRows()},
		{"Writing", writeRows()},
		{"Changing", changeRows()},
	}
	for i := range all {
		var rows []row
		for _, r := range all[i].rows {
			rows = append(rows, withOrigins(r)...)
		}
		all[i].rows = rows
	}
	return all
}

func rows() (all []row) {
	for _, g := range groups() {
		all = slices.Concat(all, g.rows)
	}
	return all
}

// forget is a command that drops the pages of a file from the page cache
// (posix_fadvise(2)), so that the next read reaches the mount.
const forget = `dd if=big0 iflag=nocache count=0 status=none`

func readRows() []row {
	return []row{
		{name: "seqread1", what: "read 1 GiB", data: "1 GiB", bytes: sized(1, gib), raw: rawRead(1),
			script: `dd if=big0 of=/dev/null bs=1M status=none`},
		{name: "seqread4", what: "read 4 × 256 MiB at once", data: "4 x 256 MiB", bytes: sized(4, gib/4), raw: rawRead(4),
			script: `for i in 0 1 2 3; do dd if=big$i of=/dev/null bs=1M status=none & done; wait`},
		{name: "reread-page", what: "read 128 MiB again, from the page cache", data: "128 MiB", bytes: sized(1, gib/8),
			warm: `cat big0 > /dev/null`, script: `dd if=big0 of=/dev/null bs=1M status=none`},
		{name: "reread-mem", what: "the same, forgotten by the kernel", data: "128 MiB", bytes: sized(1, gib/8),
			warm: `cat big0 > /dev/null; ` + forget, script: `dd if=big0 of=/dev/null bs=1M status=none`},
		{name: "reread-disk", what: "the same after mounting anew, from the disk cache", data: "128 MiB", bytes: sized(1, gib/8), again: true,
			warm: `cat big0 > /dev/null`, script: `dd if=big0 of=/dev/null bs=1M status=none`},
		{name: "ttfb", what: "first 4 KiB of 10 large files", data: "10 x 64 MiB", bytes: exactly(10 * smallSize), raw: rawFirst(10),
			script: `for i in 0 1 2 3 4 5 6 7 8 9; do head -c 4096 big$i > /dev/null; done`},
		{name: "randread", what: "400 × 4 KiB at random, 4 threads", data: "1 GiB", bytes: exactly(randomCount * smallSize), raw: rawRandom,
			script: `"$BENCH" -work randread big0`},
		{name: "smallread1", what: "read 300 files of 4 KiB one by one", data: "300 small", bytes: small(300), raw: rawSmall(300, 1),
			script: `for f in small/*; do cat "$f" > /dev/null; done`},
		{name: "smallread16", what: "read 1200 files of 4 KiB, 16 threads", data: "1200 small", bytes: small(1200), raw: rawSmall(1200, 16),
			script: `"$BENCH" -work readall small`},
		{name: "reopen", what: "300 processes open 10 files of 4 KiB each", data: "300 small", bytes: exactly(300 * 10 * smallSize),
			script: reopen},
		{name: "reopen-ttl", what: "the same with --open-ttl 1m", data: "300 small", bytes: exactly(300 * 10 * smallSize),
			options: []string{"--open-ttl", "1m"}, script: reopen},
	}
}

// reopen is a script that opens the same small files repeatedly, like the programs that
// git starts.
const reopen = `set -- $(ls small | head -10); cd small; for i in $(seq 300); do cat "$@" > /dev/null; done`

func nameRows() []row {
	return []row{
		{name: "lsl", what: "ls -l of 10,000", data: "10000 names", script: `ls -l d | wc -l`},
		{name: "lswarm", what: "the same again", data: "10000 names", warm: `ls -l d > /dev/null`, script: `ls -l d | wc -l`},
		{name: "ls100k", what: "ls -l of 100,000", data: "100000 names", script: `ls -l d | wc -l`},
		{name: "lslr", what: "ls -lR with attributes: 2000 files in 221 directories", data: "attributes", script: lslr},
		{name: "find", what: "find: 2000 files in 221 directories", data: "tree of 2000", script: `find t | wc -l`},
		{name: "statcold", what: "stat 200 deep paths", data: "tree of 2000", script: `"$BENCH" -work statpaths t "$N2000"`},
		{name: "rmtree", what: "rm -rf: 400 files in 20 directories", data: "tree of 400", script: `rm -rf t`, held: holds("t", 0)},
		{name: "mvdir", what: "mv a directory of 500", data: "500 small", script: `mv d e`, held: holds("e/f", 500)},
	}
}

// lslr is a script that lists a tree and counts the attributes that writeAttributes has
// set.
const lslr = `shown=$(ls -lR t | grep -c '^-rw-r----- .* 2001 f' || true)
[ "$shown" = "$N2000" ] || echo "note: attributes of $shown of $N2000 files"`

func writeRows() []row {
	return []row{
		{name: "seqwrite1", what: "write 1 GiB", bytes: sized(1, gib), held: holdsBytes(1, gib), raw: rawWrite(1), journal: true,
			script: `"$BENCH" -work write out0 "$BIG"`},
		{name: "seqwrite4", what: "write 4 × 256 MiB at once", bytes: sized(4, gib/4), held: holdsBytes(4, gib/4), raw: rawWrite(4), journal: true,
			script: `for i in 0 1 2 3; do "$BENCH" -work write out$i "$QUARTER" & done; wait`},
		{name: "create1", what: "create 300 files of 4 KiB one by one", bytes: small(300), held: holds("c/f", 300), raw: rawCreate(300, 1), journal: true,
			script: `mkdir c; "$BENCH" -work create c "$N300" 1`},
		{name: "create16", what: "create 1200 files of 4 KiB, 16 threads", bytes: small(1200), held: holds("c/f", 1200), raw: rawCreate(1200, 16), journal: true,
			script: `mkdir c; "$BENCH" -work create c "$N1200" 16`},
		{name: "cptree", what: "cp -r: 400 files in 20 directories", held: holds("copy/", 400), journal: true, script: `cp -r "$FIXTURE/t" copy`},
		{name: "untar", what: "tar x of the same", held: holds("t/", 400), journal: true, script: `tar xf "$FIXTURE/t.tar"`},
		{name: "gitclone", what: "git clone of 400 files, git status", held: holds("g/t/", 400), journal: true,
			script: `git clone -q "file://$FIXTURE/repo" g && git -C g status --porcelain`},
	}
}

func changeRows() []row {
	return []row{
		{name: "overwrite", what: "4 KiB inside 256 MiB", data: "256 MiB", bytes: exactly(smallSize), held: changed, journal: true,
			script: `dd if=/dev/zero of=big0 bs=4096 count=1 seek=$((QUARTER / 8192)) conv=notrunc status=none`},
		{name: "append", what: "1 MiB behind 256 MiB", data: "256 MiB", bytes: exactly(mib), held: changed, journal: true,
			script: `dd if=/dev/zero of=big0 bs=1M count=1 oflag=append conv=notrunc status=none`},
	}
}
