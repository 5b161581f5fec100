# `make run` and `make test` do all that they need by themselves, packages included (as root, or with sudo).
# The work is in scripts/; nothing here holds an absolute path, so the clone's folder may have any name.

SWIFT ?= swift
# Seconds that `make fuzz` and `make bench` give to each target or operation.
FUZZ_SECONDS ?= 600
BENCH_SECONDS ?= 5

export SWIFT
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help deps build test run bench lint fuzz generate clean

help: ## say what there is to make
	@sed -n 's/^\([a-z]*\):[^#]*## /  make \1\t/p' Makefile | expand -t 18

deps: ## install packages (root or sudo); quick when all is there
	@scripts/deps.sh

# Colours only where there is a terminal would be another command line, and all built again.
build: deps ## release build of the program
	@echo '==> release build'
	@$(SWIFT) build -c release --static-swift-stdlib --product trousseau --no-color-diagnostics
	@echo 'built .build/release/trousseau'

run: build ## a plugin on a SoftHSM token in ./local, in the foreground; BACKEND=tpm, both or all
	@scripts/run.sh

test: deps ## all tests, sanitizers and a short run of the fuzzers; STAGES="tests address thread fuzz" picks
	@scripts/test.sh $(STAGES)

lint: deps ## format, shell scripts, generated code
	@scripts/lint.sh

fuzz: deps ## each fuzzer for FUZZ_SECONDS (600)
	@scripts/fuzz.sh $(FUZZ_SECONDS)

bench: build ## calls per second and CPU a call of a plugin on a SoftHSM token; WITH=tpm or vault compares
	@scripts/bench.sh $(BENCH_SECONDS) $(WITH)

generate: deps ## Sources/CKMSProto from proto/
	@scripts/generate.sh

clean: ## remove what was built; ./local stays
	rm -rf .build
