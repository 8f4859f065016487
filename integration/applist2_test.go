package integration

// appsOfMore are programs that use a filesystem more intensively than apps: databases,
// compilers, archivers and interpreters. after is checked again after a remount.
var appsOfMore = []app{
	{name: "sqlite3", needs: []string{"sqlite3"}, nobody: true, script: `
		for mode in delete truncate persist memory wal; do
			sqlite3 $mode.db "pragma journal_mode=$mode; create table t(id integer primary key, v text);"
			sqlite3 $mode.db "pragma synchronous=full; begin; with recursive n(i) as (select 1 union all select i+1 from n where i<3000)
				insert into t select i, printf('value %08d of a row', i) from n; commit;"
			sqlite3 $mode.db "begin; delete from t; rollback; update t set v='x' where id%7=0; delete from t where id%5=0; vacuum; pragma integrity_check;"
		done
		sqlite3 delete.db "create index i on t(v)" & sqlite3 truncate.db "create index i on t(v)"; wait
		sqlite3 wal.db "pragma wal_checkpoint(truncate)" > /dev/null; rm -f *-journal *-wal *-shm; ls`,
		after: `
		for db in *.db; do sqlite3 $db "select count(*), sum(id), max(v) from t; pragma integrity_check;"; done
		sqlite3 wal.db "insert into t values (100000, 'again'); select count(*) from t;"; rm -f *-journal *-wal *-shm`},
	{name: "zip", needs: []string{"zip", "unzip"}, script: `
		cp -a "$1" src; rm src/perc*; zip -q -r -y -X a.zip src; unzip -tq a.zip; mkdir out; unzip -q a.zip -d out; diff -r src out/src
		cd src; echo more > added; zip -q -X ../a.zip added; cd ..; unzip -l a.zip | tail -1 | awk '{print $2}'
		zip -q -d a.zip 'src/deep/*'; unzip -l a.zip | tail -1 | awk '{print $2}'; rm a.zip src/added`, tree: withTimes,
		after: `diff -r src out/src; zip -q -r -X - src/deep > b.zip; unzip -tq b.zip; rm b.zip`},
	{name: "make gcc ar", needs: []string{"make", "gcc", "ar"}, nobody: true, script: `
		unset MAKEFLAGS MFLAGS MAKELEVEL # of the make that may run the tests
		printf 'int twice(int x) { return 2 * x; }\n' > twice.c; printf 'int three(void) { return 3; }\n' > three.c
		printf '#include <stdio.h>\nint twice(int); int three(void);\nint main(void) { printf("%%d\\n", twice(three())); return 0; }\n' > main.c
		printf 'prog: main.o libx.a\n\tgcc -o $@ main.o -L. -lx\nlibx.a: twice.o three.o\n\tar rcD $@ $^\n\tranlib -D $@\n%%.o: %%.c\n\tgcc -O1 -c -o $@ $<\nclean:\n\trm -f *.o *.a prog\n' > Makefile
		make -s -j4; ./prog; ar t libx.a; make; make -q; echo '/* more */' >> three.c; make -q || echo "exit $?"; make | grep -c gcc; ./prog
		make -s clean; ls; make -s; ar dD libx.a three.o; ar t libx.a; make -s -B; ./prog; nm libx.a | awk '/ T / {print $3}'`,
		after: `unset MAKEFLAGS MFLAGS MAKELEVEL; ./prog; make -q; touch three.c; make -q || echo "exit $?"; make -s; ./prog`},
	{name: "python", needs: []string{"python3"}, nobody: true, script: `
		cat > run.py <<-'EOT'
		import mmap, os, pathlib, shutil, sys, tempfile
		src = sys.argv[1]
		shutil.copytree(src + "/deep", "tree", symlinks=True); shutil.move("tree", "moved")
		shutil.copy2(src + "/run.sh", "run2"); shutil.copyfile(src + "/big.bin", "big"); shutil.copymode("run2", "big")
		print(oct(os.stat("big").st_mode), len(list(pathlib.Path("moved").rglob("*.txt"))))
		shutil.make_archive("arch", "tar", "moved"); shutil.unpack_archive("arch.tar", "unpacked"); os.remove("arch.tar")
		with open("map", "w+b") as f:
		    f.truncate(3 << 20)
		    with mmap.mmap(f.fileno(), 0) as m:
		        m[0:5] = b"begin"; m[-3:] = b"end"; m[1 << 20:(1 << 20) + 6] = b"middle"; m.flush()
		        assert m.find(b"middle") == 1 << 20
		    f.seek(-3, 2); print(f.read())
		with open("map", "rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as m: print(m[:5], len(m))
		for make in tempfile.TemporaryFile, tempfile.NamedTemporaryFile:
		    with make(dir=".") as f: f.write(b"x" * 300000); f.flush(); print(os.fstat(f.fileno()).st_size)
		fd, name = tempfile.mkstemp(dir="."); os.write(fd, b"kept"); os.replace(name, "kept"); os.write(fd, b" on"); os.close(fd); print(open("kept").read())
		with tempfile.TemporaryDirectory(dir=".") as d: shutil.copytree("moved", d + "/t", symlinks=True)
		shutil.rmtree("unpacked"); fd = os.open("kept", os.O_RDWR | os.O_APPEND); os.posix_fallocate(fd, 0, 4096); print(os.fstat(fd).st_size); os.close(fd)
		print(sorted(e.name for e in os.scandir(".") if e.is_file()))
		EOT
		python3 run.py "$1"`,
		after: `python3 -c 'import mmap; f = open("map", "rb"); m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ); print(m[:5], m[-3:], m.find(b"middle"))'`},
	{name: "patch", needs: []string{"patch"}, nobody: true, script: `
		cp "$1"/text.txt a; cp a b; sed -i 's/two/2/; $a six' b; diff -u a b > p || true; patch -s a < p; cmp a b; patch -s -R a < p; cat a
		patch -s -b a < p; cat a a.orig; echo other > a; patch -s -t a < p > /dev/null || echo "exit $?"; ls; rm -f p *.rej`,
		after: `cat a.orig`},
	{name: "sort -o and install", nobody: true, script: `
		seq 20000 -1 1 > s; sort -n -o s s; head -2 s; sort -u -o u s s; cmp s u || true; wc -l < u; split -l 5000 s p.; sort -m -n p.* | cmp - s
		install -d -m 750 i/j; install -m 4711 "$1"/run.sh i/j/run; stat -c '%a' i/j i/j/run; install -m 600 -T s i/s; cmp s i/s; install -C -m 600 s i/s; sort s | comm -12 - u | wc -l
		shuf -n 10 s > /dev/null; cut -c1 s | sort -u | wc -l; tac s | sed -n 1p; cp s t; truncate -s 0 t; mv t i`,
		after: `sort -n -c s; cmp s i/s`},
	{name: "parallel redirections", nobody: true, script: `
		for i in $(seq 40); do (for j in $(seq 20); do echo "$i $j" >> log; done; echo $i > own.$i; cat own.$i > copy.$i) & done; wait
		wc -l < log; sort -n -k1 -k2 log | sha256sum; cat copy.* | sort -n | sha256sum; rm own.*
		for i in 1 2 3 4; do (flock 9; n=$(cat count 2>/dev/null || echo 0); echo $((n + 1)) > count) 9> lock & done; wait; cat count; sort -o log log`,
		after: `wc -l < log; (flock -n 9; flock -n 8 || echo busy) 9> lock 8> lock`},
}
