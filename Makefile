# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest

.PHONY: demo test test-real test-fast check format bench bench-setup bench-probes fuzz campaign lock clean

demo: .venv/.installed
	$(BIN)/ibp demo

test: .venv/.installed
	$(PYTEST) tests -m "not real_data" --numprocesses 2 --dist loadfile

test-real: .venv/.installed   # on real Polkadot blocks: IBP_SCALE_DATA, or ../shared/data/scale
	$(PYTEST) tests -m real_data

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

SECONDS ?= 600
fuzz: .venv/.installed        # needs IBP_SCALE_DATA, as test-real does; SEED=… for the same cases again
	$(BIN)/python -m scripts.fuzz_scale --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

COURSES ?= 20
campaign: .venv/.installed    # random governance beside both real runtimes; SEED=… for the same again
	IBP_MIRROR_COURSES=$(COURSES) IBP_MIRROR_SEED=$(or $(SEED),2026) $(PYTEST) tests/differential -k live

lock:                         # after a change of dependencies in pyproject.toml
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --generate-hashes --quiet \
	  --custom-compile-command "make lock" --output-file requirements.lock

.venv/.installed: requirements.lock requirements-node.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	node --version >/dev/null 2>&1 || \
	  $(BIN)/python -m pip install --quiet --require-hashes -r requirements-node.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

clean:
	rm -rf .venv scripts/devnet/node_modules
