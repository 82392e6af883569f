# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

export PORT ?= 8000

.PHONY: demo test check bench lock clean

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("SilverTalk needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Name another: make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing (about a minute; 1.3 GB in $(VENV)) ..."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(STAMP)  ## Start the whole product on this machine and print its address.
	$(BIN)/silvertalk up

test: $(STAMP)  ## Everything that must hold: format, lint, types, tests.
	$(MAKE) --no-print-directory check
	$(BIN)/python -m pytest

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(STAMP)  ## The benchmarks, one after another (about half an hour); see benchmarks/README.md.
	$(BIN)/python -m benchmarks

lock:  ## Resolve again: after a change of pyproject.toml's dependencies.
	$(BIN)/uv pip compile pyproject.toml --quiet --upgrade --extra node --extra embedded --extra dev \
	  --generate-hashes --no-emit-index-url --no-header --no-annotate --output-file requirements.lock
	$(BIN)/uv pip compile pyproject.toml --quiet --upgrade --constraint requirements.lock \
	  --generate-hashes --no-emit-index-url --no-header --no-annotate --output-file requirements-gateway.lock

clean:
	rm -rf $(VENV) var
