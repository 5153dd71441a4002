# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest

.PHONY: demo test test-real test-browser test-campaigns test-stalled test-fast check format bench bench-setup bench-probes bench-scores bench-programme bench-payouts bench-backfill bench-indexing bench-ledger bench-web fuzz campaign faults network lock clean

demo: .venv/.installed
	$(BIN)/ibp demo

test: .venv/.installed
	$(PYTEST) tests --ignore tests/browser -m "not real_data and not campaign" --numprocesses 3 --dist loadfile --no-loadscope-reorder --durations 40 --durations-min 4

test-real: .venv/.installed   # on real Polkadot blocks: IBP_SCALE_DATA, or ../shared/data/scale
	$(PYTEST) tests/differential -m real_data

test-browser: .venv/.installed # the pages in Chromium: the one on the PATH, or Playwright's own
	test -n "$$IBP_CHROMIUM" || command -v chromium >/dev/null || \
	  command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || \
	  $(BIN)/playwright install chromium
	$(PYTEST) tests/browser --numprocesses 2 --dist loadfile --durations 10

test-campaigns: .venv/.installed # the longest: two days of five oracles; 5 minutes
	$(PYTEST) tests -m campaign

TESTS ?= tests/e2e
test-stalled: .venv/.installed # TESTS on a machine where processes stand still at random; SEED=… as before
	$(BIN)/python -m scripts.stalls $(if $(SEED),--seed $(SEED)) -- $(PYTEST) $(TESTS) -m "not real_data and not campaign" --numprocesses 3 --dist loadfile

test-fast: .venv/.installed   # what needs neither Node nor a running chain
	$(PYTEST) tests/unit tests/property

check: .venv/.installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/.installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/.installed       # prints, and rewrites docs/benchmarks.md
	-@$(MAKE) --no-print-directory bench-setup
	$(BIN)/python -m scripts.bench $(BENCH)

bench-setup: .venv/.installed # cyscale, in var/bench; without it the report says so
	$(BIN)/python -m scripts.bench.setup

bench-probes: .venv/.installed # endpoints a second by one process, against local servers with TLS
	$(BIN)/python -m scripts.bench_probes $(BENCH)

bench-scores: .venv/.installed # a day agreed on, proofs made and checked; their part of docs/benchmarks.md
	-@$(BIN)/python -m scripts.bench.setup pymerkle
	$(BIN)/python -m scripts.bench_scores $(BENCH)

bench-payouts: .venv/.installed # a month of 200 payees: made, verified, simulated; its part of docs/benchmarks.md
	$(BIN)/python -m scripts.bench_payouts $(BENCH)

bench-programme: .venv/.installed # a year of the programme's rules: bills, ranks, earnings
	$(BIN)/python -m scripts.bench_programme $(BENCH)

CHAIN ?= var/long-chain/archive
bench-backfill: .venv/.installed # a replay against 0, 1, 2 workers; CHAIN=… from scripts.record_long_chain
	$(BIN)/python -m scripts.bench_backfill $(CHAIN)

bench-indexing: .venv/.installed # node and archive into either database, beside substrate-interface
	$(BIN)/python -m scripts.bench_indexing $(BENCH)

bench-ledger: .venv/.installed # a ledger of 100,000 blocks on either database, its check, backup and restore
	$(BIN)/python -m scripts.bench_ledger $(BENCH)

bench-web: .venv/.installed   # server time and size of every page, 500 members and a year of days
	$(BIN)/python -m scripts.bench_web $(BENCH)

SECONDS ?= 600
fuzz: .venv/.installed        # needs IBP_SCALE_DATA, as test-real does; SEED=… for the same cases again
	$(BIN)/python -m scripts.fuzz_scale --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

COURSES ?= 20
campaign: .venv/.installed    # random governance beside both real runtimes; SEED=… for the same again
	IBP_MIRROR_COURSES=$(COURSES) IBP_MIRROR_SEED=$(or $(SEED),2026) $(PYTEST) tests/differential -k live

ROUNDS ?= 25
faults: .venv/.installed      # 8 kills a round and much else, against clean replays; SEED=… for the same again
	$(BIN)/python -m scripts.faults --rounds $(ROUNDS) $(if $(SEED),--seed $(SEED)) $(if $(filter-out file,$(origin SECONDS)),--seconds $(SECONDS))

DAYS ?= 3
network: .venv/.installed     # five oracles, one of them bad, for DAYS days; SEED=… for the same again
	$(BIN)/python -m scripts.network --days $(DAYS) $(if $(SEED),--seed $(SEED))

lock:                         # after a change of dependencies in pyproject.toml
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-uv.lock
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --generate-hashes --quiet \
	  --custom-compile-command "make lock" --output-file requirements.lock

# uv takes a sixth of pip's time; where only pip knows the way to an index, pip does it
.venv/.installed: requirements.lock requirements-uv.lock requirements-node.lock requirements-postgres.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-uv.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --compile-bytecode -r requirements.lock || \
	  $(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	node --version >/dev/null 2>&1 || \
	  $(BIN)/python -m pip install --quiet --require-hashes -r requirements-node.lock
	postgres --version >/dev/null 2>&1 || \
	  $(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements-postgres.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

clean:
	rm -rf .venv scripts/devnet/node_modules tests/peers/node_modules tests/browser/node_modules
