#!/bin/bash
# Boots systemd with the service in a root directory that is an overlay of the
# machine's, in namespaces and a control group of its own, and lets exam.sh run
# there. To be run in a mount namespace of its own.
#
#	boot.sh WORK    WORK holds exam.sh, env, s3mount, and the source tree's
#	                Makefile is at $SOURCE; what exam.sh prints goes to WORK/out
#
# Exit status 77: systemd cannot be booted here, for the reason that is printed.
set -eu
work=$1 unit=s3mount-test-$$
cannot() { echo "$*"; exit 77; }

mkdir "$work/group" "$work/root"
mount -t cgroup2 cgroup2 "$work/group" 2>/dev/null || cannot "a control group file system (cgroup2) cannot be mounted"
mkdir "$work/group/$unit" 2>/dev/null || cannot "no control group can be made"
home=$(sed -n 's/^0:://p' /proc/self/cgroup)
tidy() { # what is left in the groups ends with them
	echo $$ >"$work/group/$home/cgroup.procs"
	[ ! -e "$work/group/$unit/cgroup.kill" ] || echo 1 >"$work/group/$unit/cgroup.kill"
	for _ in $(seq 100); do
		find "$work/group/$unit" -depth -type d -exec rmdir {} + 2>/dev/null && break
		sleep 0.05
	done
}
trap tidy EXIT

mount -t tmpfs tmpfs "$work/root"
mkdir "$work/root/upper" "$work/root/work" "$work/root/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/root/upper,workdir=$work/root/work" "$work/root/root" 2>/dev/null ||
	cannot "the machine's root cannot be overlaid"
cd "$work/root/root"
make -s -C "$SOURCE" install BINARY="$work/s3mount" DESTDIR="$PWD" PREFIX=/usr HELPERDIR=/usr/sbin
mkdir exam && mount --bind "$work" exam

# Nothing of the machine's own start, and nothing that reaches beyond the
# namespaces: the clock, the devices, the kernel's settings and modules.
rm -rf etc/systemd/system && mkdir etc/systemd/system
for no in getty.target timers.target sockets.target systemd-sysctl.service systemd-modules-load.service systemd-remount-fs.service \
	systemd-udevd.service systemd-udev-trigger.service systemd-random-seed.service systemd-timesyncd.service systemd-networkd.service \
	systemd-resolved.service systemd-logind.service systemd-update-utmp.service systemd-binfmt.service sys-kernel-debug.mount \
	sys-kernel-tracing.mount sys-kernel-config.mount dev-hugepages.mount dev-mqueue.mount systemd-journald-audit.socket; do
	ln -s /dev/null "etc/systemd/system/$no"
done
: >etc/fstab
: >etc/machine-id
cat >etc/systemd/system/exam.target <<-'X'
	[Unit]
	Requires=exam.service
X
cat >etc/systemd/system/exam.service <<-'X'
	[Unit]
	SuccessAction=exit
	FailureAction=exit
	After=systemd-sysusers.service systemd-tmpfiles-setup.service
	[Service]
	Type=oneshot
	EnvironmentFile=/exam/env
	StandardOutput=file:/exam/out
	StandardError=inherit
	ExecStart=/bin/bash -eu /exam/exam.sh
X

echo $$ >"$work/group/$unit/cgroup.procs"
status=0
unshare --pid --mount --cgroup --uts --ipc --fork --kill-child /bin/bash -eu -c '
	mount -t proc proc proc
	mount --bind proc/sys proc/sys && mount -o remount,bind,ro proc/sys
	mount -t sysfs -o ro sysfs sys
	mount -t cgroup2 cgroup2 sys/fs/cgroup
	mount -t tmpfs tmpfs run
	mount -t tmpfs -o mode=1777 tmpfs tmp
	mount -t tmpfs -o mode=755 tmpfs dev
	for d in null zero full random urandom tty fuse; do touch "dev/$d"; mount --bind "/dev/$d" "dev/$d"; done
	[ ! -c /dev/autofs ] || { touch dev/autofs; mount --bind /dev/autofs dev/autofs; }
	mkdir dev/pts dev/shm
	mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
	mount -t tmpfs -o mode=1777 tmpfs dev/shm
	ln -s pts/ptmx dev/ptmx
	ln -s /proc/self/fd dev/fd
	pivot_root . mnt
	umount -l /mnt
	exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin \
		"$0" --system --unit=exam.target --log-target=journal --show-status=no --default-standard-output=journal
' "$SYSTEMD" || status=$?
[ -s "$work/out" ] || cannot "systemd ended with status $status before anything ran under it"
exit "$status"
