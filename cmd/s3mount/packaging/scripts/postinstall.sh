#!/bin/sh
# After the files are there: the user of the service, and systemd's view of the
# unit. Both only where there is such a thing: not in a container or a chroot.
set -e
if command -v systemd-sysusers >/dev/null; then
	systemd-sysusers s3mount.conf
elif command -v useradd >/dev/null && ! getent passwd s3mount >/dev/null; then
	useradd --system --user-group --home-dir /var/lib/s3mount-service --shell /usr/sbin/nologin s3mount
fi
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
fi
