# make help tells what there is to make.

PREFIX  ?= /usr/local
DESTDIR ?=
# Where mount(8) looks for its helpers, whatever the PREFIX.
HELPERDIR ?= /sbin

# Go is often installed here without being in the PATH.
export PATH := $(PATH):/usr/local/go/bin

# A checkout that belongs to somebody else is one in which git refuses to
# work, and then the Go tool to build unless told not to ask git.
ifneq ($(shell git rev-parse --git-dir >/dev/null 2>&1 && echo yes),yes)
export GOFLAGS += -buildvcs=false
endif

# The race detector needs a C compiler.
RACE := $(if $(shell command -v gcc clang cc),-race)

# The tests and the demo use these programs; each with its Debian package.
TEST_TOOLS  := fusermount3:fuse3 mount:mount unshare:util-linux pgrep:procps rsync:rsync git:git vim:vim
BENCH_TOOLS := $(TEST_TOOLS) s3fs:s3fs

.PHONY: help
help:
	@echo 'make build      build bin/s3mount'
	@echo 'make install    install to PREFIX ($(PREFIX)), the helper of mount(8) to $(HELPERDIR)'
	@echo 'make uninstall  take both away'
	@echo 'make demo       mount a bucket of a local S3 server; make demo-stop ends it'
	@echo 'make test       run all tests; installs what they need if run by root'
	@echo 'make check      look at format, vet, staticcheck and the order of imports'
	@echo 'make vuln       look for known vulnerabilities (needs the network)'
	@echo 'make bench      measure s3mount beside s3fs and rclone'
	@echo 'make bench-s3   measure package s3 beside other libraries'

.PHONY: build
build: go
	CGO_ENABLED=0 go build -trimpath -o bin/s3mount ./cmd/s3mount

.PHONY: install
install:
	@test -x bin/s3mount || $(MAKE) --no-print-directory build
	install -D -m 755 bin/s3mount '$(DESTDIR)$(PREFIX)/bin/s3mount'
	install -d '$(DESTDIR)$(HELPERDIR)'
	ln -sf '$(PREFIX)/bin/s3mount' '$(DESTDIR)$(HELPERDIR)/mount.s3mount'
	ln -sf '$(PREFIX)/bin/s3mount' '$(DESTDIR)$(HELPERDIR)/mount.fuse.s3mount'

.PHONY: uninstall
uninstall:
	rm -f '$(DESTDIR)$(PREFIX)/bin/s3mount' '$(DESTDIR)$(HELPERDIR)/mount.s3mount' '$(DESTDIR)$(HELPERDIR)/mount.fuse.s3mount'

.PHONY: test
test: go
	@$(call need,$(TEST_TOOLS))
	go test $(RACE) -timeout 10m ./...
	cd cmd/s3mount/packaging && go test -timeout 5m ./...
	cd integration && go test -timeout 15m ./...

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

# The database of vulnerabilities changes every day and comes over the network,
# so this is no part of the tests.
.PHONY: vuln
vuln: go
	govulncheck=$$(cd cmd/s3mount/packaging && go tool -n govulncheck) && $$govulncheck ./...

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

.PHONY: go
go:
	@command -v go >/dev/null || { echo 'Go 1.26 or later is needed: https://go.dev/dl'; exit 1; }

# need makes sure that programs are there: root installs what is missing on
# Debian and its kin, others are told what to install. The argument is a list
# of program:package.
need = missing=; \
	for tool in $(1); do \
		PATH="$$PATH:/usr/sbin:/sbin" command -v "$${tool%%:*}" >/dev/null || missing="$$missing $${tool\#*:}"; \
	done; \
	if [ -z "$$missing" ]; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $$missing; \
	else \
		echo "please install:$$missing"; exit 1; \
	fi
