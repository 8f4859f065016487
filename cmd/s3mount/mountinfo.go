package main

import (
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/sys/mountinfo"
)

// mountedAt is one mount of this process (proc_pid_mountinfo(5)).
type mountedAt struct {
	mountpoint   string
	fstype       string
	source       string
	major, minor uint32 // of the device, by which the kernel knows the mount
	uid          int    // the user who mounted it; -1 if this is no FUSE mount
}

// isOurs reports whether s3mount answers for the mount.
func (m mountedAt) isOurs() bool { return m.fstype == "fuse.s3mount" }

// isFUSE reports whether a FUSE process answers for the mount.
func (m mountedAt) isFUSE() bool {
	return m.fstype == "fuse" || strings.HasPrefix(m.fstype, "fuse.")
}

// topMount returns the mount that is visible at path: the last of those
// stacked there. ok is false if there is none.
func topMount(table io.Reader, path string) (top mountedAt, ok bool, err error) {
	found, err := allMounts(table, func(m mountedAt) bool { return m.mountpoint == path })
	if len(found) == 0 || err != nil {
		return mountedAt{}, false, err
	}
	return found[0], true, nil
}

// allMounts returns the mounts that keep accepts, without those that another
// one hides: of several at one mountpoint the last.
func allMounts(table io.Reader, keep func(mountedAt) bool) ([]mountedAt, error) {
	infos, err := mountinfo.GetMountsFromReader(table, nil)
	if err != nil {
		return nil, err
	}
	var all []mountedAt
	for _, info := range infos {
		all = slices.DeleteFunc(all, func(old mountedAt) bool { return old.mountpoint == info.Mountpoint })
		all = append(all, mountOfInfo(info))
	}
	return slices.DeleteFunc(all, func(m mountedAt) bool { return !keep(m) }), nil
}

// mountOfInfo takes from a line of the table what s3mount uses.
func mountOfInfo(info *mountinfo.Info) mountedAt {
	m := mountedAt{
		mountpoint: info.Mountpoint, fstype: info.FSType, source: info.Source,
		major: uint32(info.Major), minor: uint32(info.Minor), uid: -1,
	}
	for option := range strings.SplitSeq(info.VFSOptions, ",") {
		if id, ok := strings.CutPrefix(option, "user_id="); ok {
			m.uid, _ = strconv.Atoi(id) // the kernel writes a number
		}
	}
	return m
}
