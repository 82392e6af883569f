# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
GPU_VENV := .venv-gpu
GPU_BIN := $(GPU_VENV)/bin
GPU_STAMP := $(GPU_VENV)/.installed
PIP_QUIETLY := -m pip install --quiet --disable-pip-version-check

export PORT ?= 8000

.PHONY: demo story test test-gpu check bench bench-turns lock clean

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("SilverTalk needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Name another: make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing (about a minute; 1.3 GB in $(VENV)) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(STAMP)  ## Start the whole product on this machine and print its address.
	@$(BIN)/silvertalk up

story: $(STAMP)  ## The whole of what it is for: photos, a spoken talk, memories and a film, told and looked at.
	@$(BIN)/python -m story

test: $(STAMP)  ## Everything that must hold: format, lint, types, tests.
	$(MAKE) --no-print-directory check
	$(BIN)/python -m pytest -m 'not alone' --numprocesses 4
	$(BIN)/python -m pytest -m alone

$(GPU_STAMP): requirements.lock requirements-gpu.txt pyproject.toml
	test -x $(GPU_BIN)/python || $(PYTHON) -m venv $(GPU_VENV)
	@echo "1/3 Installing the node and its tests (a minute) ..."
	$(GPU_BIN)/python $(PIP_QUIETLY) --no-deps --require-hashes -r requirements.lock
	$(GPU_BIN)/python $(PIP_QUIETLY) --no-deps --no-build-isolation --editable .
	@echo "2/3 Installing torch (0.9 GB for the CPU; its CUDA build is several times that) ..."
	$(GPU_BIN)/python $(PIP_QUIETLY) --constraint requirements-gpu.txt torch
	@echo "3/3 Installing coqui-tts and what it needs (a minute or more; 2.8 GB in $(GPU_VENV) with torch for the CPU) ..."
	$(GPU_BIN)/python $(PIP_QUIETLY) --no-deps -r requirements-gpu.txt
	$(GPU_BIN)/python -c 'import torchaudio' 2>/dev/null || rm -f $(GPU_VENV)/lib/python3*/site-packages/torchaudio/lib/*.so
	$(GPU_BIN)/python -c 'import torchaudio'
	@touch $@

test-gpu: $(GPU_STAMP)  ## XTTS with its real classes, on a GPU where there is one, else on the CPU.
	$(GPU_BIN)/python -m pytest tests/gpu

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(STAMP)  ## The benchmarks, one after another (about half an hour); see benchmarks/README.md.
	$(BIN)/python -m benchmarks

bench-turns: $(STAMP)  ## When has somebody finished: the endpoint against fixed timers; see benchmarks/turns.py.
	$(BIN)/python -m benchmarks.turns

lock:  ## Resolve again: after a change of pyproject.toml's dependencies.
	$(BIN)/uv pip compile pyproject.toml --quiet --upgrade --extra node --extra embedded --extra film --extra dev \
	  --generate-hashes --no-emit-index-url --no-header --no-annotate --output-file requirements.lock
	$(BIN)/uv pip compile pyproject.toml --quiet --upgrade --constraint requirements.lock \
	  --generate-hashes --no-emit-index-url --no-header --no-annotate --output-file requirements-gateway.lock
	$(BIN)/uv pip compile pyproject.toml --quiet --upgrade --constraint requirements.lock --extra node \
	  --generate-hashes --no-emit-index-url --no-header --no-annotate --output-file requirements-node.lock
	printf '%s\n' imageio-ffmpeg koreanize-matplotlib \
	  | $(BIN)/uv pip compile - --quiet --no-deps --constraint requirements.lock \
	  --generate-hashes --no-emit-index-url --no-header --no-annotate --output-file deploy/requirements-film.lock
	echo hatchling | $(BIN)/uv pip compile - --quiet --upgrade --constraint requirements.lock \
	  --generate-hashes --no-emit-index-url --no-header --no-annotate --output-file deploy/requirements-build.lock
	printf '%s\n' 'nvidia-cublas-cu12==12.9.*' matplotlib psutil platformdirs tzdata \
	  | $(BIN)/uv pip compile - --quiet --upgrade --constraint requirements.lock \
	  --generate-hashes --no-emit-index-url --no-header --no-annotate --output-file deploy/requirements-beside-torch.lock

clean:
	rm -rf $(VENV) $(GPU_VENV) var
