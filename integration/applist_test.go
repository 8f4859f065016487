package integration

import "github.com/s3mount/s3mount/integration/harness"

// withTimes is for programs that set times.
var withTimes = harness.TreeOptions{Mtimes: true}

var apps = []app{
	{name: "ls", nobody: true, script: `
		mkdir d && touch b a .c d/x
		ls; ls -a; ls -1 d; ls -R; ls -F; ls d/x; ls -d d
		ls nothing 2>&1 || echo "exit $?"`},
	{name: "ls -l", nobody: true, script: `
		cp -r "$1"/sizes "$1"/run.sh . && ln -s run.sh link && mkdir e
		ls -lR --time-style=+ | awk '/^[-l]/ {print $1, $3, $4, $5, $6, $7, $8} /^d/ {print $1, $3, $4, $NF}'`},
	{name: "find", script: `
		cp -r "$1"/deep "$1"/sizes . 
		find . | sort; find . -type d -empty; find . -type l; find . -size +4k -type f | sort
		find . -name 'f0*' -path '*e1*' | sort; find . -newer sizes/s0000001 -newer deep/d0/e0/f00.txt >/dev/null
		find deep -name '*.txt' -size -2 -delete; find . | sort`},
	{name: "stat", nobody: true, script: `
		cp -p "$1"/run.sh "$1"/sizes/s0004096 . && mkdir -m 750 d && ln -s run.sh l
		stat -c '%n %s %F %a %u %g' l run.sh s0004096; stat -c '%n %F %a %u %g' d; stat -L -c '%n %s %F' l; stat -c '%h %Y' run.sh s0004096
		stat nothing 2>&1 || echo "exit $?"; test -e d; test ! -e x; test -x run.sh; test ! -x s0004096
		stat -f -c %T . >/dev/null`, tree: withTimes},
	{name: "cat", nobody: true, script: `
		cat "$1"/sizes/* > all; cat all all > twice; cat < twice | sha256sum
		cat "$1"/big.bin > big; cat big | sha256sum; head -c 100 big | sha256sum; tail -c 100 big | sha256sum
		cat > here <<-EOT
		one
		EOT
		cat here; cat . 2>&1 || echo "exit $?"`},
	{name: "cp", nobody: true, script: `
		cp "$1"/sizes/* .; cp "$1"/big.bin big; cp big copy; cp -p "$1"/text.txt kept; cp -f "$1"/text.txt copy
		cmp big "$1"/big.bin; cp -n big kept; cp --sparse=always big sparse; cp -a kept kept2; rm sparse
		stat -c '%Y %a' kept kept2`},
	{name: "cp -r", nobody: true, script: `
		cp -r "$1" tree; diff -r "$1" tree; cp -r tree second; diff -r tree second`},
	{name: "cp -a", script: `
		cp -a "$1" tree; diff -r "$1" tree; cp -a tree second; diff -r tree second
		find second -type f -printf '%P %m %T@\n' | sort`, tree: withTimes},
	{name: "mv file", nobody: true, script: `
		cp "$1"/text.txt a; cp "$1"/big.bin big; mkdir d; echo old > target
		mv a b; mv b d/; mv d/b d/c; mv -f d/c target; mv big d/big2; mv "$1"/nothing x 2>/dev/null || echo "exit $?"
		cat target; ls . d; cp target n1; echo n2 > n2; mv -n n1 n2; cat n2`},
	{name: "mv directory", nobody: true, script: `
		cp -r "$1"/deep a; mv a b; mkdir c; mv b c; mv c/b/d1 c/moved; mkdir empty; mv -T c/moved empty
		find . | sort; mv c c/inside 2>&1 || echo "exit $?"; mv -T c empty 2>/dev/null || echo "exit $?"
		mkdir e1 e2; mv -T e1 e2; find . | sort`},
	{name: "rm", nobody: true, script: `
		touch a b c; mkdir d; echo x > d/x; rm a; rm -f b nothing; rm d 2>/dev/null || echo "exit $?"
		rm nothing 2>&1 || echo "exit $?"; rm d/x; ls; ls d`},
	{name: "rm -r", nobody: true, script: `
		cp -r "$1" tree; cp -r "$1"/deep deep; rm -r tree; ls; rm -rf deep/d1 deep/d2; find . | sort
		mkdir -p x/y/z; rm -rf x; ls`},
	{name: "mkdir rmdir", nobody: true, script: `
		mkdir -p a/b/c/d a/b/e; mkdir a 2>&1 || echo "exit $?"; mkdir no/such 2>&1 || echo "exit $?"
		rmdir a 2>&1 || echo "exit $?"; rmdir a/b/e; rmdir -p a/b/c/d; ls -la | wc -l; mkdir -m 700 p; mkdir q; touch q/f
		rmdir q 2>&1 || echo "exit $?"; rm q/f; rmdir q; rmdir q 2>&1 || echo "exit $?"; mkdir -p kept/empty`},
	{name: "touch", nobody: true, script: `
		touch a; touch -d '2001-02-03 04:05:06.789 UTC' b; touch -r b c; touch -m -d @1000000000 d
		mkdir e; touch -d @1234567890 e; stat -c '%n %y' b c d e; touch -c nothing; ls
		echo data > f; touch -d @1111111111 f; cat f; stat -c %Y f; echo more >> f; test $(stat -c %Y f) -gt 1111111111`},
	{name: "chmod chown", script: `
		cp "$1"/text.txt a; chmod 600 a; stat -c %a a; chmod u+x,g+r a; stat -c %a a; mkdir d; chmod 1777 d; stat -c %a d
		chmod 4755 a; stat -c %a a; chown 1234:5678 a; stat -c '%u %g' a; chown -R 7:8 d; stat -c '%u %g' d; cat a
		echo more >> a; stat -c '%u %g' a; ln -s a l; chown -h 5:6 l; stat -c '%u %g' l`},
	{name: "dd", nobody: true, script: `
		dd if="$1"/big.bin of=a bs=1M status=none; cmp a "$1"/big.bin
		dd if="$1"/text.txt of=a bs=1 seek=10000001 conv=notrunc status=none
		dd if="$1"/sizes/s1048576 of=a bs=64k seek=100 conv=notrunc status=none
		dd if=/dev/null of=hole bs=1 seek=3000000 status=none; echo end >> hole
		dd if="$1"/big.bin of=b bs=4k conv=fsync status=none; dd if="$1"/big.bin of=c bs=1M oflag=append conv=notrunc count=3 status=none
		dd if="$1"/big.bin of=c bs=1M oflag=append conv=notrunc skip=3 status=none; cmp b c; dd if=a bs=1 skip=10000000 count=20 status=none | od -c
		dd if="$1"/sizes/s1048576 of=e bs=4096 oflag=sync status=none; dd if=b of=f bs=1M iflag=direct status=none`},
	{name: "tee -a", nobody: true, script: `
		echo one | tee a; echo two | tee -a a; cat "$1"/big.bin | tee big > big2; cmp big big2
		for i in 1 2 3 4 5; do echo $i | tee -a a b > /dev/null; done; cat a b; echo x >> new; echo y >> new; cat new`},
	{name: "sed -i", nobody: true, script: `
		cp "$1"/text.txt a; cp "$1"/run.sh r; sed -i s/two/2/ a; sed -i.bak 3d a; sed -i 's/ran/RAN/' r; cat a a.bak; ./r x; stat -c %a r; ls -A`},
	{name: "truncate", nobody: true, script: `
		cp "$1"/big.bin a; truncate -s 10000000 a; truncate -s +5 a; truncate -s 0 z; truncate -s 7000000 z; cp "$1"/text.txt t
		truncate -s 5 t; truncate -s 10 t; od -c t; : > a2; echo abc > a2; : > a2; cp "$1"/big.bin b; truncate -s 1 b; echo tail >> b; od -c b`},
	{name: "tar", nobody: true, script: `
		tar cf /dev/stdout -C "$1" . | tar xf -; rm -f ./-dash; tar cf t.tar --sort=name deep sizes; tar tf t.tar | wc -l; mkdir x; tar xf t.tar -C x; diff -r sizes x/sizes; cat x/deep/link 2>&1 || echo "exit $?"; rm t.tar
		tar cz -C "$1" . | tar xz -C x; cmp big.bin x/big.bin`, tree: withTimes},
	{name: "rsync -a", needs: []string{"rsync"}, nobody: true, script: `
		rsync -a "$1"/ tree; rsync -a --stats "$1"/ tree | grep -E 'Number of (created|regular files transferred)'
		rsync -ai "$1"/ tree; rsync -ac --delete "$1"/ tree -i; touch tree/extra; rsync -ai --delete "$1"/ tree | grep -v '^\.d'; diff -r "$1" tree
		rsync -a --inplace "$1"/ two; rsync -ai "$1"/ two`, tree: withTimes},
	{name: "git clone", needs: []string{"git"}, nobody: true, script: `
		export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_DATE='2020-01-01T00:00:00Z' GIT_COMMITTER_DATE='2020-01-01T00:00:00Z' \
			GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.org
		o=$(mktemp -d); cp -r "$1"/deep "$1"/sizes "$1"/text.txt $o; ( cd $o; git init -q -b main; git add .; git commit -qm one; git rm -q sizes/s0000001; git commit -qm two )
		git clone -q file://$o repo 2>&1; cd repo; git status --porcelain; git log --oneline; git fsck --strict 2>&1
		echo changed >> text.txt; git diff --stat; git commit -qam three; git checkout -q -b side HEAD~1; git status --porcelain; git checkout -q main
		git merge -q side; git gc -q; git fsck --strict 2>&1; git log --oneline; git status --porcelain; rm -rf $o`,
		tree: harness.TreeOptions{Ignore: []string{"repo/.git"}}},
	{name: "editor", needs: []string{"vim"}, nobody: true, script: `
		cp "$1"/text.txt a; chmod 640 a; printf 'new text\n' > .a.tmp; chmod 640 .a.tmp; mv .a.tmp a; cat a
		cp "$1"/text.txt v; HOME=/nonexistent vim -es -u NONE -c 'set backup backupcopy=no nofsync' -c '%s/two/2/' -c wq v </dev/null; cat v
		HOME=/nonexistent vim -es -u NONE -c 'set backupcopy=yes fsync' -c '%s/three/3/' -c wq v </dev/null; cat v; ls -A; stat -c %a a`},
	{name: "links", nobody: true, script: `
		echo x > f; ln -s f l; ln -s nowhere dangling; ln -s /etc/passwd abs; mkdir d; ln -s d dl; echo y > dl/y
		cat l; readlink l dangling abs dl; cat dangling 2>&1 || echo "exit $?"; ln -s f l 2>&1 || echo "exit $?"; ln -sfn nowhere l; readlink l
		stat -c '%s %F' dangling; rm dl; ls d; ln -s $(printf 'a%.0s' {1..200})/b long; readlink long`},
	{name: "shell", nobody: true, script: `
		echo a > f; echo b >> f; cat f > g; { read x; echo "got $x"; } < f; exec 3<>f; echo Z >&3; exec 3>&-; cat f
		set -C; (echo no > f) 2>/dev/null || echo "exit $?"; set +C
		for i in $(seq 20); do echo $i > n$i & done; wait; cat n* | sort -n | tr '\n' ' '
		cp "$1"/run.sh . && ./run.sh 1 2; mkfifo p; ( echo through > p & ); cat p; rm p; sort -r -o f f; cat f
		(flock 9; echo locked) 9> lock; install -m 711 f inst; stat -c %a inst; split -b 300000 "$1"/sizes/s1048576 part.; cat part.* | cmp - "$1"/sizes/s1048576`},
	{name: "names", script: `
		cp "$1"/*' '* "$1"/ü* "$1"/perc* .; cp -- "$1"/-dash .; n=$(printf 'n%.0s' {1..255}); echo long > $n; cat $n; ls | wc -l
		echo x > ${n}n 2>/dev/null || echo "exit $?"; printf x > $'new\nline'; printf x > 'back\slash'; printf x > 'a?b*c#d'; printf x > ' lead'; printf x > 'trail '
		mkdir 'dir with space' 'd%2F'; touch 'dir with space/é' 'd%2F/x'; ls -b; find . -print0 | sort -z | sha256sum`},
}
