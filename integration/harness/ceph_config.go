package harness

// cephConfig configures a small cluster: one monitor, one OSD, four placement groups
// per pool, no manager, no background work, and all data in memory. It listens on the
// loopback interface and keeps its files below @DIR@. The garbage collector runs every
// five seconds instead of every hour, because deleted and replaced data stay in memory
// until then.
const cephConfig = `[global]
fsid = @FSID@
mon host = [v2:@MONITOR@/0]
mon initial members = a
ms bind msgr1 = false
ms type = async+posix
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
auth allow insecure global id reclaim = false
keyring = @DIR@/keyring
run dir = @DIR@/run
admin socket = @DIR@/run/$name.asok
pid file = @DIR@/run/$name.pid
log file = @DIR@/log/$name.log
log to stderr = false
err to stderr = true
mon cluster log file = @DIR@/log/cluster.log
crash dir = @DIR@/run
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon allow pool delete = true
mon warn on pool no redundancy = false
mon data avail crit = 1
mon data avail warn = 2
mon max pg per osd = 1000
[mon.a]
mon data = @DIR@/mon
[osd.0]
osd data = @DIR@/osd
osd objectstore = memstore
memstore device bytes = 8589934592
osd memory target = 536870912
osd max object name len = 2048
osd check max object name len on startup = false
osd scrub begin hour = 1
osd scrub end hour = 2
[client.rgw.r]
rgw data = @DIR@/rgw
rgw frontends = beast endpoint=@GATEWAY@
rgw dns name = @DOMAIN@
rgw crypt require ssl = false
rgw enable apis = s3
rgw thread pool size = 64
rgw enable usage log = false
rgw enable ops log = false
rgw gc max objs = 8
rgw gc obj min wait = 1
rgw gc processor period = 5
rgw gc processor max time = 5
rgw lc max objs = 4
rgw usage max shards = 1
rgw data log num shards = 1
rgw md log max shards = 1
rgw override bucket index max shards = 1
rgw run sync thread = false
`
