#!/bin/sh
# Makes what is released, in the directory $1: for each architecture a static
# binary in a tar.gz, a .deb, an .rpm and a bill of materials, and SHA256SUMS.
# The same commit and Go version give the same bytes. See `make dist`.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../../.." && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)

# Times in the archives are that of the commit.
: "${SOURCE_DATE_EPOCH:=$(git -C "$top" log -1 --format=%ct 2>/dev/null || echo 0)}"
# A release is its tag; what lies between releases is the commit and its day.
: "${VERSION:=$(git -C "$top" describe --tags --exact-match --match 'v[0-9]*' 2>/dev/null || true)}"
: "${VERSION:=0.0.0~git$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d).$(git -C "$top" log -1 --format=%h 2>/dev/null || echo unknown)}"
VERSION=${VERSION#v}
export SOURCE_DATE_EPOCH VERSION
umask 022

cd "$here"
nfpm=$(go tool -n nfpm)
go build -o "$out/.sbom" ./sbom
cd "$top"
go build -trimpath -o "$out/.host" ./cmd/s3mount

for arch in ${ARCHES:-amd64 arm64}; do
	name=s3mount-$VERSION-linux-$arch
	stage=$out/.stage
	rm -rf "$stage"
	mkdir "$stage"
	cp -r "$here/scripts" "$stage/scripts"
	CGO_ENABLED=0 GOOS=linux GOARCH=$arch go build -trimpath -ldflags="-s -w -buildid= -X main.release=$VERSION" -o "$stage/s3mount" ./cmd/s3mount
	"$out/.sbom" "$stage/s3mount" >"$out/$name.cdx.json"
	make -s install BINARY="$stage/s3mount" GENERATOR="$out/.host" DESTDIR="$stage/root" PREFIX=/usr HELPERDIR=/usr/sbin
	gzip -9n "$stage/root/usr/share/man/man8/s3mount.8"
	ln -sf s3mount.8.gz "$stage/root/usr/share/man/man8/mount.s3mount.8.gz"
	rm "$stage/root/usr/share/man/man8/mount.s3mount.8"
	(cd "$stage" && ARCH=$arch "$nfpm" package -f "$here/nfpm.yaml" -p deb -t "$out/$name.deb" >/dev/null)
	(cd "$stage" && ARCH=$arch "$nfpm" package -f "$here/nfpm.yaml" -p rpm -t "$out/$name.rpm" >/dev/null)
	# The tar.gz is unpacked at /usr/local, or wherever one likes.
	mv "$stage/root/usr" "$stage/$name"
	rm -rf "$stage/$name/sbin"
	cp README.md LICENSE "$stage/$name"
	tar -C "$stage" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner -c "$name" | gzip -9n >"$out/$name.tar.gz"
done
rm -rf "$out/.stage" "$out/.sbom" "$out/.host"
cd "$out"
sha256sum s3mount-* >SHA256SUMS
