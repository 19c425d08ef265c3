# Navarch: `make up` starts a cluster on this machine, `make test` proves it. `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help

node_modules/.package-lock.json: package-lock.json
	@echo "installing npm packages"
	@npm ci --no-audit --no-fund --loglevel=error

.PHONY: build
build: node_modules/.package-lock.json
	@npm run --silent build

.PHONY: proto
proto: node_modules/.package-lock.json ## generate code from proto/
	@npm run --silent generate

.PHONY: lint
lint: node_modules/.package-lock.json ## types, style, the import rule, protobuf rules
	@npm run --silent build && npm run --silent lint

.PHONY: test
test: node_modules/.package-lock.json ## lint, unit, integration and end-to-end tests
	@scripts/packages.sh --test
	@npm run --silent build
	@node scripts/test.mjs

.PHONY: raft-golden
raft-golden: build ## replay the Raft scripts below DIR=... and compare the traces; REWRITE=1 writes them anew
	@node dist/raft/golden/main.js $(or $(DIR),raft/golden/scripts) $(if $(REWRITE),--rewrite)

.PHONY: up
up: node_modules/.package-lock.json ## start a whole cluster on this machine, or heal the one that is there; UP="flags"
	@scripts/packages.sh
	@npm run --silent build
	@node dist/cli/main.js up $(UP)

.PHONY: down
down: ## stop it, with the UP=... that it was started with; PURGE=1 takes its data away too
	@[ ! -f dist/cli/main.js ] || node dist/cli/main.js down $(UP) $(if $(PURGE),--purge)

.PHONY: bench-start
bench-start: build ## measure starts, memory, a pod's way to Running, a leader's death; RUNS=3
	@scripts/packages.sh --test
	@node dist/e2e/bench/start.js

.PHONY: bench-store
bench-store: build ## our store beside etcd, under the same load (QUICK=1: two minutes)
	@node dist/e2e/bench/store.js

# Young objects die young: room for them spares half of the collections, and one thread is what speed is counted on.
SIM_FLAGS = --max-semi-space-size=64 --single-threaded

.PHONY: sim
sim: build ## simulate: SEEDS=n runs that many, SEED=x replays one (TRACE=1 prints every step)
	@node $(SIM_FLAGS) dist/raft/sim/main.js $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),200) --first $(or $(FIRST),1)) $(if $(TRACE),--trace) $(if $(SECONDS),--duration $(SECONDS))

.PHONY: sim-long
sim-long: build ## simulate fresh seeds for HOURS=n
	@node $(SIM_FLAGS) dist/raft/sim/main.js --hours $(or $(HOURS),1)

.PHONY: sim-mutants
sim-mutants: build ## the simulator's worth: each historical bug, turned on, must be caught (ONLY=name for one)
	@node dist/raft/sim/mutants/main.js $(if $(ONLY),--only $(ONLY))

.PHONY: chaos
chaos: build ## real members under real faults: MINUTES=n, or KILLS=n for kill -9 alone; SEED=x does a run again, ONLY=fault,...
	@node dist/e2e/chaos/main.js $(if $(KILLS),--kills $(KILLS),--minutes $(or $(MINUTES),2)) $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only '$(ONLY)') $(if $(LOOPBACK),--loopback)

.PHONY: flood
flood: build ## attacks at every port for SECONDS=60, over KEYS=100000: no election, /livez, main threads and memory within their aims
	@node dist/e2e/chaos/flood-main.js $(or $(SECONDS),60) $(or $(KEYS),100000)

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16
