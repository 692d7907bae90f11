# Windlass: the commands of the README. Each one installs what it needs first (scripts/setup), and a
# second run installs nothing. The work itself is in scripts/.

TOPIC ?= tidal power
FUZZ_SECONDS ?= 20
PEERS ?=
export TOPIC PEERS

.DEFAULT_GOAL := help
.PHONY: help run test check bench setup fmt fuzz clean

help: ## this list
	@echo "Windlass"
	@awk 'BEGIN { FS = ":.*## " } /^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## answer the example chain with a real small model (TOPIC="tidal power")
	@scripts/run

test: ## every test, against a real model, a real Redis and the vendors' own SDKs
	@scripts/test

check: ## format, lints, the map of the house, licences, a short fuzz: what CI runs before the tests
	@scripts/check

bench: ## proxy, replicas, chains, instruction counts, translations and how it stays up into bench/results (PEERS=litellm,portkey for those too)
	@scripts/bench

setup: ## install everything that any of the commands needs
	@scripts/setup build tools model sdk services bench

fmt: ## format the code
	@cargo fmt --all
	@cargo fmt --manifest-path fuzz/Cargo.toml

fuzz: ## run every fuzz target for FUZZ_SECONDS (20) seconds
	@scripts/fuzz $(FUZZ_SECONDS)

clean: ## remove what was built; keep what was installed (.cache)
	@cargo clean
