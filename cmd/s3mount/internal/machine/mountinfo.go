package machine

import (
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/sys/mountinfo"
)

// Mount is one mount of this process (proc_pid_mountinfo(5)).
type Mount struct {
	Mountpoint   string
	fstype       string
	source       string
	Major, Minor uint32 // device number, which identifies the mount in the kernel
	UID          int    // the user who mounted it; -1 if this is no FUSE mount
}

// IsOurs reports whether s3mount serves the mount.
func (m Mount) IsOurs() bool { return m.fstype == "fuse.s3mount" }

// isFUSE reports whether a FUSE process serves the mount.
func (m Mount) isFUSE() bool {
	return m.fstype == "fuse" || strings.HasPrefix(m.fstype, "fuse.")
}

// topMount returns the mount that is visible at path, which is the last of several mounts
// at the same place. ok is false if there is none.
func topMount(table io.Reader, path string) (top Mount, ok bool, err error) {
	found, err := allMounts(table, func(m Mount) bool { return m.Mountpoint == path })
	if len(found) == 0 || err != nil {
		return Mount{}, false, err
	}
	return found[0], true, nil
}

// allMounts returns the visible mounts that keep accepts. Of several mounts at one
// mountpoint, the last is visible.
func allMounts(table io.Reader, keep func(Mount) bool) ([]Mount, error) {
	infos, err := mountinfo.GetMountsFromReader(table, nil)
	if err != nil {
		return nil, err
	}
	var all []Mount
	for _, info := range infos {
		all = slices.DeleteFunc(all, func(old Mount) bool { return old.Mountpoint == info.Mountpoint })
		all = append(all, mountOfInfo(info))
	}
	return slices.DeleteFunc(all, func(m Mount) bool { return !keep(m) }), nil
}

// mountOfInfo converts a line of the table of mounts.
func mountOfInfo(info *mountinfo.Info) Mount {
	m := Mount{
		Mountpoint: info.Mountpoint, fstype: info.FSType, source: info.Source,
		Major: uint32(info.Major), Minor: uint32(info.Minor), UID: -1,
	}
	for option := range strings.SplitSeq(info.VFSOptions, ",") {
		if id, ok := strings.CutPrefix(option, "user_id="); ok {
			m.UID, _ = strconv.Atoi(id) // the kernel writes a number
		}
	}
	return m
}
