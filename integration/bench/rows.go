package main

// smallSize is the size of a small file: of source code, mails, thumbnails.
const smallSize = 4096

// rows are in the order of the table: reading, names, writing, changing.
func rows() []row {
	return append(append(readRows(), nameRows()...), writeRows()...)
}

func readRows() []row {
	return []row{
		{name: "seqread1", what: "read 1 GiB", data: "1 GiB", script: `dd if=big0 of=/dev/null bs=1M status=none`, raw: rawRead(1)},
		{name: "seqread4", what: "read 4 × 256 MiB at once", data: "4 x 256 MiB", raw: rawRead(4),
			script: `for i in 0 1 2 3; do dd if=big$i of=/dev/null bs=1M status=none & done; wait`},
		{name: "reread", what: "read 256 MiB again (page cache)", data: "256 MiB", warm: `cat big0 > /dev/null`, script: `dd if=big0 of=/dev/null bs=1M status=none`},
		{name: "ttfb", what: "first 4 KiB of 10 large files", data: "10 x 64 MiB",
			script: `for i in 0 1 2 3 4 5 6 7 8 9; do head -c 4096 big$i > /dev/null; done`},
		{name: "randread", what: "400 × 4 KiB at random, 4 threads", data: "1 GiB", script: `"$BENCH" -work randread big0`},
		{name: "smallread1", what: "read 300 files of 4 KiB one by one", data: "300 small",
			script: `for f in small/*; do cat "$f" > /dev/null; done`},
		{name: "smallread16", what: "read 1200 files of 4 KiB, 16 threads", data: "1200 small", script: `"$BENCH" -work readall small`},
	}
}

func nameRows() []row {
	return []row{
		{name: "lsl", what: "ls -l of 10,000", data: "10000 names", script: `ls -l d | wc -l`},
		{name: "lswarm", what: "the same again", data: "10000 names", warm: `ls -l d > /dev/null`, script: `ls -l d | wc -l`},
		{name: "find", what: "find: 2000 files in 221 directories", data: "tree of 2000", script: `find t | wc -l`},
		{name: "statcold", what: "stat 200 deep paths", data: "tree of 2000", script: `"$BENCH" -work statpaths t "$N2000"`},
		{name: "rmtree", what: "rm -rf: 400 files in 20 directories", data: "tree of 400", script: `rm -rf t`, held: holds("t", 0)},
		{name: "mvdir", what: "mv a directory of 500", data: "500 small", script: `mv d e`, held: holds("e/f", 500)},
	}
}

func writeRows() []row {
	return []row{
		{name: "seqwrite1", what: "write 1 GiB", script: `"$BENCH" -work write out0 "$BIG"`, held: holdsBytes(1, gib), raw: rawWrite},
		{name: "seqwrite4", what: "write 4 × 256 MiB at once", held: holdsBytes(4, gib/4),
			script: `for i in 0 1 2 3; do "$BENCH" -work write out$i "$QUARTER" & done; wait`},
		{name: "create1", what: "create 300 files of 4 KiB one by one", script: `mkdir c; "$BENCH" -work create c "$N300" 1`, held: holds("c/f", 300)},
		{name: "create16", what: "create 1200 files of 4 KiB, 16 threads", script: `mkdir c; "$BENCH" -work create c "$N1200" 16`, held: holds("c/f", 1200)},
		{name: "cptree", what: "cp -r: 400 files in 20 directories", script: `cp -r "$FIXTURE/t" copy`, held: holds("copy/", 400)},
		{name: "untar", what: "tar x of the same", script: `tar xf "$FIXTURE/t.tar"`, held: holds("t/", 400)},
		{name: "overwrite", what: "4 KiB inside 256 MiB", data: "256 MiB",
			script: `dd if=/dev/zero of=big0 bs=4096 count=1 seek=20000 conv=notrunc status=none`, held: changed},
		{name: "append", what: "1 MiB behind 256 MiB", data: "256 MiB",
			script: `dd if=/dev/zero of=big0 bs=1M count=1 oflag=append conv=notrunc status=none`, held: changed},
		{name: "gitclone", what: "git clone of 400 files, git status", script: `git clone -q "file://$FIXTURE/repo" g && git -C g status --porcelain`, held: holds("g/t/", 400)},
	}
}
