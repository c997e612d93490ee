# Sekisho. The two commands for a newcomer: `make demo` and `make test`.

SHELL := /bin/bash
export CGO_ENABLED := 0

VERSION ?= $(shell git describe --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
FUZZTIME ?= 5s

# Postfix can only be started by root: as another user, sudo is asked.
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
ASROOT := $(if $(SUDO),$(SUDO) env "PATH=$(PATH)" "HOME=$(HOME)" "CGO_ENABLED=0",)

.PHONY: help demo test setup build check lint fuzz bench chaos corpus docs clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

demo: setup build ## install what it needs, run the main job against a private Postfix, show it
	$(ASROOT) bin/sekisho-demo -sekisho bin/sekisho

test: setup ## install what it needs, run every test
	@$(ASROOT) go test -run '^$$' ./... >/dev/null # compiles on all cores
	$(ASROOT) go test -p 1 -timeout 15m ./... # faults and time limits want the machine to themselves

setup: ## install the Debian packages that demo and test need
	@$(SUDO) packaging/setup.sh

build: ## build bin/sekisho, its worker, the demo and the bench
	@echo "building (the first build takes some minutes: SQLite is compiled from source)"
	@mkdir -p bin && echo '*' > bin/.gitignore
	go build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/...

check: test lint fuzz ## all that CI runs

lint: ## gofmt, vet, staticcheck
	@out="$$(gofmt -l cmd filter rules)"; if [ -n "$$out" ]; then echo "gofmt: $$out"; exit 1; fi
	go vet ./...
	go tool staticcheck ./...

fuzz: ## a few seconds of each fuzz target (FUZZTIME=5s)
	@.ci/fuzz $(FUZZTIME)

bench: build ## speed of reading and decoding, then of the milter beside one that accepts all
	go test -timeout 30m -run '^$$' -bench . -benchmem ./filter/...
	bin/sekisho-bench

chaos: setup ## every fault against the whole daemon, at deep counts (about an hour)
	$(ASROOT) env SEKISHO_CHAOS=deep go test -count=1 -v -timeout 150m ./filter/chaos

corpus: build ## figures over a corpus folder: make corpus CORPUS=folder
	@test -d "$(CORPUS)" || { echo "usage: make corpus CORPUS=folder"; exit 2; }
	@set -o pipefail; SEKISHO_CORPUS="$(abspath $(CORPUS))" go test -count=1 -v -run Corpus ./filter/... | grep -v -e '^=== ' -e 'no test files'

docs: ## rewrite the documents that are made from the code
	SEKISHO_UPDATE=1 go test -count=1 -run "Doc|Manual" ./filter/... ./rules ./cmd/...

clean: ## remove what was built
	rm -rf bin
