package fs

import (
	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3mount/s3mount/fs/metering"
)

// Read also counts the bytes.
func (o *observed) Read(cancel <-chan struct{}, in *fuse.ReadIn, buf []byte) (res fuse.ReadResult, status fuse.Status) {
	defer o.begin(metering.OpRead, &in.InHeader).end(&status)
	res, status = o.f.Read(cancel, in, buf)
	if res != nil {
		o.requests.AddRead(res.Size())
	}
	return res, status
}

// Write also counts the bytes.
func (o *observed) Write(cancel <-chan struct{}, in *fuse.WriteIn, data []byte) (n uint32, status fuse.Status) {
	defer o.begin(metering.OpWrite, &in.InHeader).end(&status)
	n, status = o.f.Write(cancel, in, data)
	o.requests.AddWritten(n)
	return n, status
}

// Writev is not counted: go-fuse calls Write instead, because the filesystem
// answers Writev with ENOSYS.
func (o *observed) Writev(cancel <-chan struct{}, in *fuse.WriteIn, data [][]byte) (uint32, fuse.Status) {
	return o.f.Writev(cancel, in, data)
}

func (o *observed) Lookup(cancel <-chan struct{}, header *fuse.InHeader, name string, out *fuse.EntryOut) (status fuse.Status) {
	defer o.begin(metering.OpLookup, header).end(&status)
	return o.f.Lookup(cancel, header, name, out)
}

func (o *observed) GetAttr(cancel <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) (status fuse.Status) {
	defer o.begin(metering.OpGetAttr, &in.InHeader).end(&status)
	return o.f.GetAttr(cancel, in, out)
}

func (o *observed) SetAttr(cancel <-chan struct{}, in *fuse.SetAttrIn, out *fuse.AttrOut) (status fuse.Status) {
	defer o.begin(metering.OpSetAttr, &in.InHeader).end(&status)
	return o.f.SetAttr(cancel, in, out)
}

func (o *observed) Mknod(cancel <-chan struct{}, in *fuse.MknodIn, name string, out *fuse.EntryOut) (status fuse.Status) {
	defer o.begin(metering.OpMknod, &in.InHeader).end(&status)
	return o.f.Mknod(cancel, in, name, out)
}

func (o *observed) Mkdir(cancel <-chan struct{}, in *fuse.MkdirIn, name string, out *fuse.EntryOut) (status fuse.Status) {
	defer o.begin(metering.OpMkdir, &in.InHeader).end(&status)
	return o.f.Mkdir(cancel, in, name, out)
}

func (o *observed) Unlink(cancel <-chan struct{}, header *fuse.InHeader, name string) (status fuse.Status) {
	defer o.begin(metering.OpUnlink, header).end(&status)
	return o.f.Unlink(cancel, header, name)
}

func (o *observed) Rmdir(cancel <-chan struct{}, header *fuse.InHeader, name string) (status fuse.Status) {
	defer o.begin(metering.OpRmdir, header).end(&status)
	return o.f.Rmdir(cancel, header, name)
}

func (o *observed) Rename(cancel <-chan struct{}, in *fuse.RenameIn, oldName string, newName string) (status fuse.Status) {
	defer o.begin(metering.OpRename, &in.InHeader).end(&status)
	return o.f.Rename(cancel, in, oldName, newName)
}

func (o *observed) Link(cancel <-chan struct{}, in *fuse.LinkIn, filename string, out *fuse.EntryOut) (status fuse.Status) {
	defer o.begin(metering.OpLink, &in.InHeader).end(&status)
	return o.f.Link(cancel, in, filename, out)
}

func (o *observed) Symlink(cancel <-chan struct{}, header *fuse.InHeader, pointedTo string, linkName string, out *fuse.EntryOut) (status fuse.Status) {
	defer o.begin(metering.OpSymlink, header).end(&status)
	return o.f.Symlink(cancel, header, pointedTo, linkName, out)
}

func (o *observed) Readlink(cancel <-chan struct{}, header *fuse.InHeader) (target []byte, status fuse.Status) {
	defer o.begin(metering.OpReadlink, header).end(&status)
	return o.f.Readlink(cancel, header)
}

func (o *observed) Access(cancel <-chan struct{}, in *fuse.AccessIn) (status fuse.Status) {
	defer o.begin(metering.OpAccess, &in.InHeader).end(&status)
	return o.f.Access(cancel, in)
}

func (o *observed) GetXAttr(cancel <-chan struct{}, header *fuse.InHeader, attr string, dest []byte) (n uint32, status fuse.Status) {
	defer o.begin(metering.OpGetXAttr, header).end(&status)
	return o.f.GetXAttr(cancel, header, attr, dest)
}

func (o *observed) ListXAttr(cancel <-chan struct{}, header *fuse.InHeader, dest []byte) (n uint32, status fuse.Status) {
	defer o.begin(metering.OpListXAttr, header).end(&status)
	return o.f.ListXAttr(cancel, header, dest)
}

func (o *observed) SetXAttr(cancel <-chan struct{}, in *fuse.SetXAttrIn, attr string, data []byte) (status fuse.Status) {
	defer o.begin(metering.OpSetXAttr, &in.InHeader).end(&status)
	return o.f.SetXAttr(cancel, in, attr, data)
}

func (o *observed) RemoveXAttr(cancel <-chan struct{}, header *fuse.InHeader, attr string) (status fuse.Status) {
	defer o.begin(metering.OpRemoveXAttr, header).end(&status)
	return o.f.RemoveXAttr(cancel, header, attr)
}

func (o *observed) Create(cancel <-chan struct{}, in *fuse.CreateIn, name string, out *fuse.CreateOut) (status fuse.Status) {
	defer o.begin(metering.OpCreate, &in.InHeader).end(&status)
	return o.f.Create(cancel, in, name, out)
}

func (o *observed) Tmpfile(cancel <-chan struct{}, in *fuse.CreateIn, out *fuse.CreateOut) (status fuse.Status) {
	defer o.begin(metering.OpTmpfile, &in.InHeader).end(&status)
	return o.f.Tmpfile(cancel, in, out)
}

func (o *observed) Open(cancel <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) (status fuse.Status) {
	defer o.begin(metering.OpOpen, &in.InHeader).end(&status)
	return o.f.Open(cancel, in, out)
}

func (o *observed) Lseek(cancel <-chan struct{}, in *fuse.LseekIn, out *fuse.LseekOut) (status fuse.Status) {
	defer o.begin(metering.OpLseek, &in.InHeader).end(&status)
	return o.f.Lseek(cancel, in, out)
}

func (o *observed) GetLk(cancel <-chan struct{}, in *fuse.LkIn, out *fuse.LkOut) (status fuse.Status) {
	defer o.begin(metering.OpGetLk, &in.InHeader).end(&status)
	return o.f.GetLk(cancel, in, out)
}

func (o *observed) SetLk(cancel <-chan struct{}, in *fuse.LkIn) (status fuse.Status) {
	defer o.begin(metering.OpSetLk, &in.InHeader).end(&status)
	return o.f.SetLk(cancel, in)
}

func (o *observed) SetLkw(cancel <-chan struct{}, in *fuse.LkIn) (status fuse.Status) {
	defer o.begin(metering.OpSetLkw, &in.InHeader).end(&status)
	return o.f.SetLkw(cancel, in)
}

func (o *observed) Release(cancel <-chan struct{}, in *fuse.ReleaseIn) {
	status := fuse.OK
	defer o.begin(metering.OpRelease, &in.InHeader).end(&status)
	o.f.Release(cancel, in)
}

func (o *observed) CopyFileRange(cancel <-chan struct{}, in *fuse.CopyFileRangeIn) (n uint32, status fuse.Status) {
	defer o.begin(metering.OpCopyFileRange, &in.InHeader).end(&status)
	return o.f.CopyFileRange(cancel, in)
}

func (o *observed) Ioctl(cancel <-chan struct{}, in *fuse.IoctlIn, inbuf []byte, output *fuse.IoctlOut, outbuf []byte) (status fuse.Status) {
	defer o.begin(metering.OpIoctl, &in.InHeader).end(&status)
	return o.f.Ioctl(cancel, in, inbuf, output, outbuf)
}

func (o *observed) Flush(cancel <-chan struct{}, in *fuse.FlushIn) (status fuse.Status) {
	defer o.begin(metering.OpFlush, &in.InHeader).end(&status)
	return o.f.Flush(cancel, in)
}

func (o *observed) Fsync(cancel <-chan struct{}, in *fuse.FsyncIn) (status fuse.Status) {
	defer o.begin(metering.OpFsync, &in.InHeader).end(&status)
	return o.f.Fsync(cancel, in)
}

func (o *observed) Fallocate(cancel <-chan struct{}, in *fuse.FallocateIn) (status fuse.Status) {
	defer o.begin(metering.OpFallocate, &in.InHeader).end(&status)
	return o.f.Fallocate(cancel, in)
}

func (o *observed) OpenDir(cancel <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) (status fuse.Status) {
	defer o.begin(metering.OpOpenDir, &in.InHeader).end(&status)
	return o.f.OpenDir(cancel, in, out)
}

func (o *observed) ReadDir(cancel <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) (status fuse.Status) {
	defer o.begin(metering.OpReadDir, &in.InHeader).end(&status)
	return o.f.ReadDir(cancel, in, out)
}

func (o *observed) ReadDirPlus(cancel <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) (status fuse.Status) {
	defer o.begin(metering.OpReadDirPlus, &in.InHeader).end(&status)
	return o.f.ReadDirPlus(cancel, in, out)
}

func (o *observed) FsyncDir(cancel <-chan struct{}, in *fuse.FsyncIn) (status fuse.Status) {
	defer o.begin(metering.OpFsyncDir, &in.InHeader).end(&status)
	return o.f.FsyncDir(cancel, in)
}

func (o *observed) StatFs(cancel <-chan struct{}, in *fuse.InHeader, out *fuse.StatfsOut) (status fuse.Status) {
	defer o.begin(metering.OpStatFs, in).end(&status)
	return o.f.StatFs(cancel, in, out)
}

func (o *observed) Statx(cancel <-chan struct{}, in *fuse.StatxIn, out *fuse.StatxOut) (status fuse.Status) {
	defer o.begin(metering.OpStatx, &in.InHeader).end(&status)
	return o.f.Statx(cancel, in, out)
}
