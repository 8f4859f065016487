package settings

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestSplitMountList(t *testing.T) {
	for _, tc := range []struct {
		list string
		want []mountEntry
	}{
		{"", nil},
		{",,", nil},
		{"ro", []mountEntry{{"ro", "", false}}},
		{"ro,uid=5", []mountEntry{{"ro", "", false}, {"uid", "5", true}}},
		{"comment=", []mountEntry{{"comment", "", true}}},
		{"a=b=c", []mountEntry{{"a", "b=c", true}}},
		{`a="x,y",b`, []mountEntry{{"a", "x,y", true}, {"b", "", false}}},
		{`a=x\,y,b`, []mountEntry{{"a", "x,y", true}, {"b", "", false}}},
		{`a=x\\,b`, []mountEntry{{"a", `x\`, true}, {"b", "", false}}},
		{`a=\d\`, []mountEntry{{"a", `\d\`, true}}},
	} {
		got, err := splitMountList(tc.list)
		if err != nil || !slices.Equal(got, tc.want) {
			t.Errorf("splitMountList(%q) = %v, %v; want %v", tc.list, got, err, tc.want)
		}
	}
	if _, err := splitMountList(`a="x`); err == nil {
		t.Error("an open quote is not refused")
	}
}

func FuzzSplitMountList(f *testing.F) {
	for _, seed := range []string{"ro,uid=5", `a="x,y",b`, `a=x\,y`, `\`, `"`} {
		f.Add(seed)
	}
	escape := strings.NewReplacer(`\`, `\\`, `,`, `\,`)
	f.Fuzz(func(t *testing.T, list string) {
		entries, err := splitMountList(list)
		if err != nil {
			return
		}
		var words []string
		for _, e := range entries {
			word := e.name
			if e.hasValue {
				word += "=" + e.value
			}
			if word == "" || strings.Contains(word, `"`) {
				t.Errorf("%q gives the entry %+v", list, e)
			}
			words = append(words, escape.Replace(word))
		}
		again, err := splitMountList(strings.Join(words, ","))
		if err != nil || !slices.Equal(again, entries) {
			t.Errorf("%q: written again it is %v (%v), want %v", list, again, err, entries)
		}
	})
}

func TestMountOptions(t *testing.T) {
	// mount(8) and systemd pass these for a line of fstab that uses all options.
	list := "rw,noauto,user=joe,users,owner,group,nofail,_netdev,nodev,nosuid,noexec,noatime,relatime,diratime,lazytime," +
		"x-systemd.automount,x-systemd.idle-timeout=60,x-gvfs-show,X-mount.mkdir,comment=whatever,defaults,async," +
		"uid=5,gid=6,umask=027,allow_other,default_permissions,endpoint=http://127.0.0.1:9000/,metadata_ttl=5,memory-limit=64M,path_style"
	s := Defaults()
	if err := (mountListValue{s}).Set(list); err != nil {
		t.Fatal(err)
	}
	want := *Defaults()
	want.FS.UID, want.FS.GID, want.FS.FileMode, want.FS.DirMode = 5, 6, 0o640, 0o750
	want.FS.AllowOther = true
	want.FS.MetadataTTL, want.FS.MemoryLimit = 5*time.Second, 64<<20
	want.S3.Endpoint = "http://127.0.0.1:9000/"
	if s.FS.UID != want.FS.UID || s.FS.GID != want.FS.GID || s.FS.FileMode != want.FS.FileMode || s.FS.DirMode != want.FS.DirMode ||
		!s.FS.AllowOther || s.FS.ReadOnly || s.FS.MetadataTTL != want.FS.MetadataTTL || s.FS.MemoryLimit != want.FS.MemoryLimit ||
		s.S3.Endpoint != want.S3.Endpoint || s.S3.Addressing == addressingAuto {
		t.Errorf("%s\ngives %+v", list, s)
	}
	if got := s.FS.MountOptions; !slices.Equal(got, []string{"nodev", "nosuid", "noexec"}) {
		t.Errorf("for the kernel: %v", got)
	}
}

func TestMountOptionsLastWins(t *testing.T) {
	for _, tc := range []struct {
		list     string
		readOnly bool
		kernel   []string
	}{
		{"ro", true, nil},
		{"ro,rw", false, nil},
		{"rw,ro", true, nil},
		{"read_only=no", false, nil},
		{"noexec,exec", false, []string{"exec"}},
		{"user,noexec,nosuid,nodev,dev", false, []string{"noexec", "nosuid", "dev"}},
		{"sync,async", false, nil},
		{"sync,sync,dirsync", false, []string{"sync", "dirsync"}},
	} {
		s := Defaults()
		if err := (mountListValue{s}).Set(tc.list); err != nil {
			t.Errorf("%s: %v", tc.list, err)
		}
		if s.FS.ReadOnly != tc.readOnly || !slices.Equal(s.FS.MountOptions, tc.kernel) {
			t.Errorf("%s: read-only %v, for the kernel %v", tc.list, s.FS.ReadOnly, s.FS.MountOptions)
		}
	}
}

func TestMountOptionsRefuses(t *testing.T) {
	for _, tc := range []struct{ list, says string }{
		{"nonsense", `unknown mount option "nonsense"`},
		{"url=http://x", "use endpoint=URL"},
		{"use_path_request_style", "path_style"},
		{"allow_root", "allow_other"},
		{"secret_access_key=verysecret", "credentials come from"},
		{"remount,ro", "cannot remount"},
		{"uid", "needs a value"},
		{"uid=nobody at all", "uid=nobody at all"},
		{"o=ro", "unknown mount option"},
		{`a="`, "never closed"},
	} {
		err := (mountListValue{Defaults()}).Set(tc.list)
		if err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: error %v, want one that says %q", tc.list, err, tc.says)
		}
		if err != nil && strings.Contains(err.Error(), "verysecret") {
			t.Errorf("%s: the error shows the secret: %v", tc.list, err)
		}
	}
	s := Defaults()
	s.sloppy = true
	if err := (mountListValue{s}).Set("nonsense,ro"); err != nil || !s.FS.ReadOnly {
		t.Errorf("sloppy: %v, read-only %v", err, s.FS.ReadOnly)
	}
}
