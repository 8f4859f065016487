# make help lists the targets.

PREFIX  ?= /usr/local
DESTDIR ?=
# mount(8) looks for its helpers here, whatever the PREFIX is.
HELPERDIR ?= /sbin

# Go is often installed here without being in the PATH.
export PATH := $(PATH):/usr/local/go/bin

# git refuses to work in a checkout of another user. Without git the Go tool builds
# only with this flag.
ifneq ($(shell git rev-parse --git-dir >/dev/null 2>&1 && echo yes),yes)
export GOFLAGS += -buildvcs=false
endif

# The tests and the demo use these programs; each with its Debian package.
TEST_TOOLS  := fusermount3:fuse3 mount:mount unshare:util-linux pgrep:procps rsync:rsync git:git vim:vim fio:fio stress-ng:stress-ng \
	sqlite3:sqlite3 zip:zip unzip:unzip patch:patch make:make gcc:gcc ar:binutils python3:python3
# Tests that need one of these programs are skipped without it.
MORE_TEST_TOOLS := systemctl:systemd setpriv:util-linux rpm:rpm qemu-aarch64-static:qemu-user-static tmux:tmux
BENCH_TOOLS := $(TEST_TOOLS) s3fs:s3fs

.PHONY: help
help:
	@echo 'make build      build bin/s3mount'
	@echo 'make install    install to PREFIX ($(PREFIX)), the helpers of mount(8) to $(HELPERDIR)'
	@echo 'make uninstall  take all of it away'
	@echo 'make dist       make binaries, .deb, .rpm, tar.gz and SBOM in dist/'
	@echo 'make man        show the manual page'
	@echo 'make demo       mount a bucket of a local S3 server; make demo-stop ends it'
	@echo 'make demo-record  record the demo for README.md'
	@echo 'make test       run all tests; installs what they need if run by root'
	@echo 'make test-servers  run what depends on the server against versitygw, MinIO and Ceph RGW'
	@echo 'make check      look at format, vet, staticcheck and the order of imports'
	@echo 'make vuln       look for known vulnerabilities (needs the network)'
	@echo 'make soak       TIME=10m: kill mounts and break connections, then check every byte and history'
	@echo 'make fuzz       FUZZ_TIME=20000x: try so many inputs with each fuzz target'
	@echo 'make bench      measure s3mount beside s3fs and rclone'
	@echo 'make bench-s3   measure package s3 beside other libraries'

.PHONY: build
build: go
	CGO_ENABLED=0 go build -trimpath -o bin/s3mount ./cmd/s3mount

# BINARY is installed. GENERATOR writes its manual page and completions. They differ
# if BINARY is for another machine.
BINARY    ?= bin/s3mount
GENERATOR ?= $(BINARY)
SHARE     := $(DESTDIR)$(PREFIX)/share
UNITDIR   ?= $(PREFIX)/lib/systemd/system
PACKAGING := cmd/s3mount/packaging

bin/s3mount: $(shell find cmd fs s3 cache -name '*.go' -o -name '*.txt' 2>/dev/null) go.mod
	$(MAKE) --no-print-directory build

.PHONY: install
install: $(BINARY)
	install -D -m 755 '$(BINARY)' '$(DESTDIR)$(PREFIX)/bin/s3mount'
	install -d '$(DESTDIR)$(HELPERDIR)' '$(SHARE)/man/man8' '$(SHARE)/bash-completion/completions' \
		'$(SHARE)/zsh/site-functions' '$(SHARE)/fish/vendor_completions.d' '$(DESTDIR)$(UNITDIR)'
	ln -sf '$(PREFIX)/bin/s3mount' '$(DESTDIR)$(HELPERDIR)/mount.s3mount'
	ln -sf '$(PREFIX)/bin/s3mount' '$(DESTDIR)$(HELPERDIR)/mount.fuse.s3mount'
	'$(GENERATOR)' man | install -m 644 /dev/stdin '$(SHARE)/man/man8/s3mount.8'
	ln -sf s3mount.8 '$(SHARE)/man/man8/mount.s3mount.8'
	'$(GENERATOR)' completion bash | install -m 644 /dev/stdin '$(SHARE)/bash-completion/completions/s3mount'
	'$(GENERATOR)' completion zsh | install -m 644 /dev/stdin '$(SHARE)/zsh/site-functions/_s3mount'
	'$(GENERATOR)' completion fish | install -m 644 /dev/stdin '$(SHARE)/fish/vendor_completions.d/s3mount.fish'
	sed 's|/usr/bin/s3mount|$(PREFIX)/bin/s3mount|' '$(PACKAGING)/s3mount@.service' | install -m 644 /dev/stdin '$(DESTDIR)$(UNITDIR)/s3mount@.service'
	install -D -m 644 '$(PACKAGING)/sysusers.conf' '$(DESTDIR)$(PREFIX)/lib/sysusers.d/s3mount.conf'
	install -D -m 644 README.md '$(SHARE)/doc/s3mount/README.md'
	install -D -m 644 LICENSE '$(SHARE)/doc/s3mount/LICENSE'

.PHONY: uninstall
uninstall:
	rm -f '$(DESTDIR)$(PREFIX)/bin/s3mount' '$(DESTDIR)$(HELPERDIR)/mount.s3mount' '$(DESTDIR)$(HELPERDIR)/mount.fuse.s3mount' \
		'$(SHARE)/man/man8/s3mount.8' '$(SHARE)/man/man8/mount.s3mount.8' '$(SHARE)/bash-completion/completions/s3mount' '$(SHARE)/zsh/site-functions/_s3mount' \
		'$(SHARE)/fish/vendor_completions.d/s3mount.fish' '$(DESTDIR)$(UNITDIR)/s3mount@.service' \
		'$(DESTDIR)$(PREFIX)/lib/sysusers.d/s3mount.conf'
	rm -rf '$(SHARE)/doc/s3mount'

.PHONY: dist
dist: go
	'$(PACKAGING)/dist.sh' dist

.PHONY: man
man: $(BINARY)
	'$(BINARY)' man | man -l -

.PHONY: test
test: go
	@$(call need,$(TEST_TOOLS))
	@($(call need,$(MORE_TEST_TOOLS))) || echo 'the tests that use them are skipped'
	@# The race detector needs a C compiler, which may have been installed just now.
	go test $$(command -v gcc >/dev/null && echo -race) -timeout 20m ./...
	@# These tools and binaries are built here, so that no test has to wait for them.
	cd cmd/s3mount/packaging && go tool -n nfpm >/dev/null && go test -timeout 5m ./...
	for arch in amd64 arm64; do CGO_ENABLED=0 GOARCH=$$arch go build -trimpath -o /dev/null ./cmd/s3mount || exit; done
	@# Built once here. Otherwise each package below would build it.
	cd integration && go tool -n versitygw >/dev/null && go test -timeout 30m ./...

# How many inputs make fuzz tries with each target (or for how long: 1m), which takes some
# seconds. The corpora are in testdata/fuzz.
FUZZ_TIME ?= 20000x

.PHONY: fuzz
fuzz: go
	@for package in $$(grep -rl --include='*_test.go' '^func Fuzz' cmd cache fs s3 | xargs -n 1 dirname | sort -u); do \
		for target in $$(grep -ho '^func Fuzz[A-Za-z0-9]*' $$package/*_test.go | cut -c 6-); do \
			echo "$$package $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZ_TIME) ./$$package || exit; \
		done; \
	done

# The S3 servers of make test-servers.
SERVERS ?= versitygw minio ceph

.PHONY: test-servers
test-servers: go
	@$(call need,$(TEST_TOOLS))
	cd integration && go run ./testservers $(SERVERS)

.PHONY: check
check: go
	@unformatted=$$(gofmt -l cmd cache fs s3 integration); \
	if [ -n "$$unformatted" ]; then echo "not formatted by gofmt:"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	cd cmd/s3mount/packaging && go vet ./...
	cd integration && go vet ./...
	staticcheck=$$(cd integration && go tool -n staticcheck) && $$staticcheck ./... && \
		(cd cmd/s3mount/packaging && $$staticcheck ./...) && cd integration && $$staticcheck ./...
	go test -run '^TestImportOrder' ./cmd/s3mount
	go test -tags lockorder -skip 'Huge|Million|Big' ./fs/lockorder ./fs/attrs ./fs/listing ./fs/namespace

# The database of vulnerabilities changes every day and comes over the network,
# so this is no part of the tests.
.PHONY: vuln
vuln: go
	govulncheck=$$(cd cmd/s3mount/packaging && go tool -n govulncheck) && $$govulncheck ./...

# How long make soak lets everything fail, and where it writes its table as JSON.
TIME    ?= 10m
RESULTS ?= $(CURDIR)/integration/soak/results.json

.PHONY: soak
soak: go
	@$(call need,$(TEST_TOOLS))
	cd integration && SOAK_TIME=$(TIME) SOAK_RESULTS='$(RESULTS)' go test -count=1 -timeout 0 -parallel 6 -v ./soak

.PHONY: bench
bench: go
	@$(call need,$(BENCH_TOOLS))
	cd integration && go run ./bench

.PHONY: bench-s3
bench-s3: go
	cd integration && go test -run '^$$' -bench . -count 3 ./s3bench

.PHONY: demo
demo: go
	@$(call need,fusermount3:fuse3)
	@cd integration && go run ./demo start

.PHONY: demo-stop
demo-stop: go
	@cd integration && go run ./demo stop

.PHONY: demo-record
demo-record: go
	@$(call need,fusermount3:fuse3)
	@cd integration && go run ./demo record demo

.PHONY: go
go:
	@command -v go >/dev/null || { echo 'Go 1.26 or later is needed: https://go.dev/dl'; exit 1; }

# need checks that programs are installed. As root on Debian and similar systems it
# installs the missing ones; otherwise it prints what to install. The argument is a
# list of program:package.
need = missing=; \
	for tool in $(1); do \
		PATH="$$PATH:/usr/sbin:/sbin" command -v "$${tool%%:*}" >/dev/null || missing="$$missing $${tool\#*:}"; \
	done; \
	if [ -z "$$missing" ]; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		integration/apt-install $$missing; \
	else \
		echo "please install:$$missing"; exit 1; \
	fi
