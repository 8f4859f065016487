# What a service has to stand, run as a service itself by the systemd that
# boot.sh has booted. $BUCKET at $ENDPOINT holds the object f.
say() { echo "== $*"; }
trap 'code=$?; [ $code = 0 ] || { echo "failed with $code"; systemctl status --no-pager --full "s3mount@*" "mnt-auto.*" || true
	journalctl --no-pager -o cat -n 60 || true; }' EXIT
prop() { systemctl show --value -p "$1" "$unit"; }
as() { setpriv --reuid s3mount --regid s3mount --clear-groups "$@"; }
await() { # until a command succeeds: systemd tells nobody of what it has done
	for _ in $(seq 1200); do if "$@"; then return; fi; sleep 0.05; done
	echo "never true: $*"; return 1
}
waits_for() { prop StatusText | grep -q "$1"; }
state() { test "$(prop ActiveState)" = "$1"; }
restarts() { test "$(prop NRestarts)" = "$1" && test "$(prop ActiveState)" = active; }
unit=s3mount@b.service

mkdir -p /etc/s3mount /mnt/b /mnt/auto "/etc/systemd/system/s3mount@.service.d"
chown s3mount:s3mount /mnt/b
cat >/etc/s3mount/b.toml <<X
bucket = "$BUCKET"
mountpoint = "/mnt/b"
endpoint = "$ENDPOINT"
X
(umask 077; printf 'AWS_ACCESS_KEY_ID=%s\nAWS_SECRET_ACCESS_KEY=%s\n' "$ACCESS_KEY" "$SECRET_KEY" >/etc/s3mount/b.env)
# Only what would make this last minutes is other than in the unit.
cat >"/etc/systemd/system/s3mount@.service.d/quick.conf" <<X
[Service]
RestartSec=100ms
WatchdogSec=10
X
echo "$BUCKET /mnt/auto s3mount _netdev,noauto,x-systemd.automount,x-systemd.mount-timeout=30,endpoint=$ENDPOINT 0 0" >/etc/fstab
systemctl daemon-reload

say verify
systemd-analyze verify --man=no --recursive-errors=no "/usr/lib/systemd/system/$unit"

say start
systemctl start "$unit"
test "$(prop ActiveState)/$(prop SubState)/$(prop Type)" = active/running/notify
prop StatusText | grep -q "is mounted on /mnt/b"
test "$(ps -o user= -p "$(prop MainPID)")" = s3mount
as cat /mnt/b/f # at once: ready is ready
as sh -c 'echo written >/mnt/b/new'
if cat /mnt/b/f; then echo "others may read"; exit 1; fi

say reload
pid=$(prop MainPID)
systemctl reload "$unit"
as cat /mnt/b/new
test "$(prop MainPID)" = "$pid"

say kill
kill -KILL "$pid"
await restarts 1
as cat /mnt/b/f
as sh -c 'echo healed >/mnt/b/healed'
test "$(grep -c ' /mnt/b ' /proc/self/mountinfo)" = 1

say hang
kill -STOP "$(prop MainPID)"
await restarts 2
as cat /mnt/b/f

say stop
as sh -c 'exec 3>/mnt/b/open; echo "not closed" >&3; echo $$ >/tmp/holder; exec sleep 1000' &
await as test -s /tmp/holder
systemctl stop --no-block "$unit"
await state deactivating
await waits_for 'waiting for programs to close their files'
kill "$(cat /tmp/holder)"
await state inactive
test "$(prop Result)" = success
ls -A /mnt/b # empty, and no dead mount
! grep ' /mnt/b ' /proc/self/mountinfo

say again
systemctl start "$unit"
as cat /mnt/b/open
systemctl stop "$unit"

say wrong
sed -i 's/^bucket.*/bucket = "there-is-no-such-bucket"/' /etc/s3mount/b.toml
if systemctl start "$unit"; then echo "started with no bucket"; exit 1; fi
await state failed
test "$(prop ExecMainStatus)" = 6

say automount
if grep -qw autofs /proc/filesystems; then
	set -a; . /etc/s3mount/b.env; set +a
	systemctl set-environment AWS_ACCESS_KEY_ID="$AWS_ACCESS_KEY_ID" AWS_SECRET_ACCESS_KEY="$AWS_SECRET_ACCESS_KEY"
	systemctl start mnt-auto.automount
	test "$(systemctl show --value -p ActiveState mnt-auto.mount)" = inactive
	cat /mnt/auto/f # mounts
	test "$(systemctl show --value -p ActiveState mnt-auto.mount)" = active
	systemctl stop mnt-auto.automount mnt-auto.mount
fi
say end
