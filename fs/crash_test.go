package fs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3mount/s3mount/s3"
	"github.com/s3mount/s3mount/s3/s3test"
)

// crashEnv makes the test binary the process that is killed: endpoint, state
// directory, scenario, durability, and what it does.
const crashEnv = "S3MOUNT_CRASH"

// A process that is killed carries out a scenario, or only replays the journal.
const (
	crashWorks   = "works"
	crashReplays = "replays"
)

// tree is what a mount shows: content by path; directories end in "/". A mode that is
// not the default one stands behind the content.
type tree map[string]string

// defaultMode is the mode of a new file.
const defaultMode = 0o644

// modeMark separates a content and a mode in a tree.
const modeMark = "\x00mode "

// withMode returns the value of a file in a tree.
func withMode(data string, mode uint32) string {
	if mode == defaultMode {
		return data
	}
	return fmt.Sprintf("%s%s%o", data, modeMark, mode)
}

// rewrite returns the value of a file that has got another content.
func rewrite(value, data string) string {
	if _, mode, ok := strings.Cut(value, modeMark); ok {
		return data + modeMark + mode
	}
	return data
}

// crashStep is one operation of a scenario and what it does to the tree.
type crashStep struct {
	name string
	do   func(c *crasher) error
	then func(t tree)
}

// crasher is the kernel of the process that is killed.
type crasher struct{ k *kernel }

func (c *crasher) put(p, data string, flags uint32) error {
	fh, st := c.k.tryOpen(p, flags)
	if st == fuse.ENOENT {
		fh, st = c.k.tryCreate(p, flags)
	}
	if st != fuse.OK {
		return syscall.Errno(st)
	}
	id := c.k.open[fh]
	const piece = 1 << 20
	for off := 0; off < len(data); off += piece {
		part := []byte(data[off:min(off+piece, len(data))])
		if _, st := c.k.f.Write(nil, &fuse.WriteIn{InHeader: header(id), Fh: fh, Offset: uint64(off)}, part); st != fuse.OK {
			return syscall.Errno(st)
		}
	}
	st = c.k.flush(fh)
	delete(c.k.open, fh)
	// Nobody waits for a release.
	go c.k.f.Release(nil, &fuse.ReleaseIn{InHeader: header(id), Fh: fh})
	return errnoOrNil(st)
}

func errnoOrNil(st fuse.Status) error {
	if st == fuse.OK {
		return nil
	}
	return syscall.Errno(st)
}

func create(p, data string) crashStep {
	return crashStep{"write " + p, func(c *crasher) error { return c.put(p, data, syscall.O_WRONLY|syscall.O_TRUNC) },
		func(t tree) { t[p] = rewrite(t[p], data) }}
}

// chmod changes the mode of a file.
func chmod(p string, mode uint32) crashStep {
	return crashStep{fmt.Sprintf("chmod %s %o", p, mode), func(c *crasher) error {
		return errnoOrNil(c.k.setattr(p, fuse.SetAttrIn{SetAttrInCommon: fuse.SetAttrInCommon{Valid: fuse.FATTR_MODE, Mode: mode}}))
	}, func(t tree) {
		data, _, _ := strings.Cut(t[p], modeMark)
		t[p] = withMode(data, mode)
	}}
}

// flush makes all content that was written so far reach S3. It is a step without a change.
func flush() crashStep {
	return crashStep{"sync", func(c *crasher) error { return c.k.saveAll(context.Background()) }, func(tree) {}}
}

// saveAll makes S3 hold all contents and attributes. Unlike drain it does not wait until the
// attribute indexes may be written.
func (k *kernel) saveAll(ctx context.Context) error {
	var errs []error
	for _, n := range k.f.inodes.all() {
		errs = append(errs, k.f.commit(ctx, n), k.f.flushAttrs(ctx, n))
	}
	return errors.Join(append(errs, k.f.writes.Drain(ctx))...)
}

// patch writes over the beginning of a file.
func patch(p, data string) crashStep {
	return crashStep{"patch " + p, func(c *crasher) error { return c.put(p, data, syscall.O_WRONLY) },
		func(t tree) { t[p] = data + t[p][len(data):] }}
}

func remove(p string) crashStep {
	return crashStep{"unlink " + p, func(c *crasher) error { return errnoOrNil(c.k.unlink(p)) }, func(t tree) { delete(t, p) }}
}

func renamed(from, to string) crashStep {
	return crashStep{"rename " + from, func(c *crasher) error { return errnoOrNil(c.k.rename(from, to, 0)) }, func(t tree) {
		for p := range maps.Clone(t) {
			if p == from || strings.HasPrefix(p, from+"/") {
				t[to+p[len(from):]] = t[p]
				delete(t, p)
			}
		}
	}}
}

func makeDir(p string) crashStep {
	return crashStep{"mkdir " + p, func(c *crasher) error { return errnoOrNil(c.k.mkdir(p)) }, func(t tree) { t[p+"/"] = "" }}
}

func removeDir(p string) crashStep {
	return crashStep{"rmdir " + p, func(c *crasher) error { return errnoOrNil(c.k.rmdir(p)) }, func(t tree) { delete(t, p+"/") }}
}

// crashScenarios begin in an empty bucket.
var crashScenarios = map[string][]crashStep{
	"files": {
		create("a", "one"), create("b", "two"), create("a", "three"), patch("b", "T"), renamed("b", "a"),
		remove("a"), create("a", "four"), create("c", "five"), renamed("c", "d"), remove("d"),
	},
	// The first removal makes the later ones wait to be gathered.
	"rewritten": {
		create("z", "zero"), remove("z"), create("a", "one"), renamed("a", "d"), patch("d", "T"), create("e", "two"),
	},
	"large": {
		create("a", strings.Repeat("x", 11<<20)), patch("a", "head"), create("b", "small"), renamed("b", "a"),
	},
	"replaced": {
		create("a", "one"), create("b", "two"), flush(), renamed("a", "b"), create("c", "three"), renamed("c", "b"),
		create("d", "four"), create("e", "five"), renamed("e", "d"), renamed("d", "b"),
	},
	"attributes": {
		create("a", "one"), chmod("a", 0o600), patch("a", "O"), flush(), chmod("a", 0o640), create("b", "two"), chmod("b", 0o755),
		renamed("b", "a"), chmod("a", 0o600), flush(), create("c", "three"), renamed("c", "a"), chmod("a", 0o640), remove("a"),
	},
	// An object of several parts gets another ETag when its attributes change.
	"attributes-large": {
		create("a", strings.Repeat("x", 11<<20)), chmod("a", 0o600), flush(), chmod("a", 0o640), patch("a", "head"),
		chmod("a", 0o755), create("b", "small"), renamed("b", "a"),
	},
	"directories": {
		makeDir("d"), create("d/x", "one"), create("d/y", "two"), renamed("d", "e"), remove("e/x"), remove("e/y"), removeDir("e"),
	},
}

// crashLingering is a journal in which closed files linger.
const crashLingering = "lingering"

// lingers names the scenarios that rename, replace or remove files that linger.
var lingers = map[string]bool{"files": true, "replaced": true, "attributes": true, "attributes-large": true}

// keepsAttrs reports whether the mounts of a scenario keep attributes.
func keepsAttrs(scenario string) bool { return strings.HasPrefix(scenario, "attributes") }

// crashOptions are the options of the process that is killed and of the next mount.
func crashOptions(state, scenario, durability string) func(*Options) {
	return func(o *Options) {
		o.StateDir, o.Durability = state, durability
		if durability == crashLingering {
			o.Durability = durabilityJournal
		} else {
			o.Linger = 0 // each close is a request
		}
		if !keepsAttrs(scenario) {
			o.Posix = "off"
		}
		o.PartSize = s3.MinPartSize
	}
}

// TestCrashedProcess is the process that is killed. It replays what is in the state
// directory, and then carries out the scenario. Without crashEnv it does nothing.
func TestCrashedProcess(t *testing.T) {
	args := strings.Fields(os.Getenv(crashEnv))
	if len(args) != 5 {
		return
	}
	o := DefaultOptions()
	o.Bucket, o.Logger = testBucket, slog.New(slog.DiscardHandler)
	crashOptions(args[1], args[2], args[3])(&o)
	client, err := s3.New(s3.Options{Endpoint: args[0], Region: "us-east-1", Addressing: s3.AddressingPath})
	if err != nil {
		t.Fatal(err)
	}
	f, err := newFilesystem(client, o)
	if err != nil {
		t.Fatal(err)
	}
	c := &crasher{k: &kernel{t: t, f: f, refs: map[uint64]uint64{}, open: map[uint64]uint64{}}}
	if err := f.recover(context.Background()); err != nil {
		t.Fatal(err)
	}
	steps := crashScenarios[args[2]]
	if args[4] == crashReplays {
		steps = nil
	}
	for _, s := range steps {
		if err := s.do(c); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		fmt.Println("did", s.name)
	}
	if keepsAttrs(args[2]) {
		err = c.k.saveAll(context.Background())
	} else {
		err = f.drain(context.Background())
	}
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("drained")
}

// killAt kills the process that it is told of when the nth request comes,
// before that is executed or after.
type killAt struct {
	n       int64
	late    bool
	count   atomic.Int64
	used    sync.Map // ids of the uploads that requests have named
	process chan *os.Process
	struck  string // kind of the request
}

func newKill(n int64, late bool) *killAt {
	return &killAt{n: n, late: late, process: make(chan *os.Process, 1)}
}

func (a *killAt) rule() s3test.Rule {
	fault := s3test.Fail(nil)
	if a.late {
		fault = s3test.LoseAnswer()
	}
	return s3test.Rule{Times: -1, Fault: fault, Match: func(r *http.Request) bool {
		at := a.count.Add(1)
		if id := r.URL.Query().Get("uploadId"); id != "" {
			a.used.Store(id, true)
		}
		switch {
		case at < a.n:
			return false
		case at == a.n:
			a.struck = s3test.KindOf(r)
			_ = (<-a.process).Kill()
			return true
		}
		return !a.late // what came before the signal took effect is lost, or was executed like the nth
	}}
}

// run runs a scenario in a child that is killed. It returns the number of steps
// that the child has told of, and whether it lived to the end.
func (a *killAt) run(t *testing.T, url, state, scenario, durability, does string) (steps int, lived bool) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestCrashedProcess$")
	child.Env = append(os.Environ(), crashEnv+"="+strings.Join([]string{url, state, scenario, durability, does}, " "))
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	a.process <- child.Process
	var said []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		said = append(said, lines.Text())
		steps += strings.Count(lines.Text(), "did ")
		lived = lived || lines.Text() == "drained"
	}
	if err := child.Wait(); err != nil && child.ProcessState.ExitCode() > 0 {
		t.Fatalf("the child failed by itself: %v\n%s", err, strings.Join(said, "\n"))
	}
	return steps, lived
}

// TestCrash kills the process at every request of each scenario, before and
// after it is executed: at every step of commit, rename and journal. The next
// mount shows what was done, with the operation that was under way either done
// or not.
func TestCrash(t *testing.T) {
	for scenario, steps := range crashScenarios {
		for _, durability := range []string{durabilityS3, durabilityJournal, crashLingering} {
			if durability == crashLingering && !lingers[scenario] {
				continue
			}
			t.Run(scenario+"/"+durability, func(t *testing.T) {
				t.Parallel()
				stride := int64(1)
				switch {
				case raceDetector:
					stride = 7
				case scenario == "attributes-large":
					stride = 4
				case strings.HasSuffix(scenario, "large"):
					stride = 2 // it takes the longest: every request once
				}
				for i, late := range []bool{false, true} {
					for n := 1 + int64(i); ; n += stride {
						if _, lived := crashOnce(t, scenario, durability, steps, newKill(n, late)); lived {
							break
						}
					}
				}
			})
		}
	}
}

// TestCrashInReplay kills the process when it has carried out a whole scenario, and then
// the next one at every request of its replay, before and after it is executed. The
// third mount shows all that was acknowledged.
func TestCrashInReplay(t *testing.T) {
	for scenario := range lingers {
		t.Run(scenario, func(t *testing.T) {
			t.Parallel()
			steps := crashScenarios[scenario]
			last := int64(1) // the first request at which all steps are acknowledged
			for done := 0; done < len(steps); last++ {
				done, _ = crashOnce(t, scenario, crashLingering, steps, newKill(last, false))
			}
			for i, late := range []bool{false, true} {
				stride := int64(1)
				if raceDetector || strings.HasSuffix(scenario, "large") {
					stride = 4
				}
				for n := 1 + int64(i); ; n += stride {
					if _, lived := crashOnce(t, scenario, crashLingering, steps, newKill(last-1, false), newKill(n, late)); lived {
						break
					}
				}
			}
		})
	}
}

// crashOnce kills a process that carries out a scenario, and then one process that
// replays for each further kill. It looks at what the next mount shows. It returns the
// number of steps that were acknowledged, and whether the last process lived to its end.
func crashOnce(t *testing.T, scenario, durability string, steps []crashStep, kills ...*killAt) (done int, lived bool) {
	t.Helper()
	faults := s3test.NewFaults()
	srv := s3test.NewServer(t, s3test.Options{Faults: faults, Buckets: []string{testBucket}})
	state := t.TempDir()
	does := crashWorks
	for _, a := range kills {
		faults.Add(a.rule())
		var n int
		n, lived = a.run(t, srv.URL(), state, scenario, durability, does)
		done += n
		srv.Quiet()
		faults.Clear()
		does = crashReplays
	}
	a := kills[len(kills)-1]
	k := remount(t, srv, crashOptions(state, scenario, durability))
	k.recover()
	k.f.watching.Wait() // the uploads are aborted
	got := k.tree("")
	old := tree{}
	for _, s := range steps[:done] {
		s.then(old)
	}
	want := []tree{old}
	if done < len(steps) {
		next := maps.Clone(old)
		steps[done].then(next)
		want = append(want, next)
		if durability == durabilityS3 {
			want = append(want, bothNames(old, next)...)
		}
	}
	if !oneOf(got, want) {
		t.Fatalf("killed %d times, last at request %d (%s), executed %v, after %d steps: the next mount shows %s, want one of %s",
			len(kills), a.n, a.struck, a.late, done, got, want)
	}
	if keepsAttrs(scenario) {
		return done, lived // the end of the test unmounts, when the indexes may be written at once
	}
	if err := k.f.drain(t.Context()); err != nil {
		t.Errorf("drain: %v", err)
	}
	// An upload whose id the child had no time to note, before it uses it, is left
	// to a lifecycle rule.
	page, err := srv.Client().ListUploads(t.Context(), &s3.ListUploadsInput{Bucket: testBucket})
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range page.Uploads {
		if _, noted := a.used.Load(u.ID); noted {
			t.Errorf("killed at request %d (%s): an upload of %q is left", a.n, a.struck, u.Key)
		}
	}
	k.unmount()
	return done, lived
}

// bothNames are the states in the middle of a rename of a file: it exists under
// at least one of its names (P5).
func bothNames(old, next tree) []tree {
	both := maps.Clone(old)
	maps.Copy(both, next)
	return []tree{both}
}

func oneOf(got tree, want []tree) bool {
	for _, w := range want {
		if maps.Equal(got, w) {
			return true
		}
	}
	return false
}

// tree reads everything.
func (k *kernel) tree(dir string) tree {
	k.t.Helper()
	t := tree{}
	for _, name := range k.ls(dir) {
		p := strings.TrimPrefix(path.Join(dir, name), "/")
		a, st := k.stat(p)
		k.must(st, "stat", p)
		if a.Mode&syscall.S_IFMT == syscall.S_IFDIR {
			t[p+"/"] = ""
			maps.Copy(t, k.tree(p))
			continue
		}
		data := k.cat(p) // an object without a hint has default attributes until it is opened
		a, st = k.stat(p)
		k.must(st, "stat", p)
		t[p] = withMode(data, a.Mode&0o7777)
	}
	return t
}

// String shortens contents.
func (t tree) String() string {
	short := map[string]string{}
	for p, data := range t {
		content, mode, _ := strings.Cut(data, modeMark)
		short[p] = strings.TrimSpace(fmt.Sprintf("%.8q %d %s", content, len(content), mode))
	}
	return fmt.Sprint(short)
}
