# Each target sets itself up: `make demo` or `make test` is all a new machine needs.
PYTHON ?= python3
VENV ?= .venv
JOBS ?= 2
# An exact version: an index may then give the build for the processor alone.
TORCH ?= torch==2.13.0
# `make venv CONSTRAINTS=` takes the newest of everything instead.
CONSTRAINTS ?= --constraint constraints.txt
# What compiles the kernels, without a card; the extras cuda12 and cuda13 are for use.
# There is none for macOS.
ifneq ($(shell uname),Darwin)
CUDA_COMPILER := cuda-core cuda-bindings==13.* nvidia-cuda-nvrtc==13.*
# Without -cpu it brings 400 MB for cards, but not on macOS.
XGBOOST := xgboost-cpu
else
XGBOOST := xgboost
endif
# Packages that adapters and readers of trees are tested with: no large ones.
PEERS := captum==0.9.* catboost==1.2.* lightgbm==4.7.* traker==0.3.* $(XGBOOST)==3.2.*

BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PIP := $(BIN)/python -m pip --disable-pip-version-check
# A stamp file is named after the extras that are installed once it exists.
DEMO := $(VENV)/.with-plot,audit
DEV := $(VENV)/.with-test,lint,doc,plot
ASV := $(VENV)/.with-bench

.DEFAULT_GOAL := help
.PHONY: help venv constraints demo test coverage lint docs bench asv clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 8

venv: $(DEV) ## make $(VENV) and install the package with all that its development needs

$(DEMO): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --editable ".[plot,audit]"
	touch "$@"

$(DEV): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet $(CONSTRAINTS) $(TORCH) $(CUDA_COMPILER)
	$(PIP) install --quiet $(CONSTRAINTS) --editable ".[test,lint,doc,plot]" $(PEERS)
	touch "$@"

$(ASV): $(DEV)
	$(PIP) install --quiet $(CONSTRAINTS) --editable ".[bench]"
	touch "$@"

# The names stay; their versions become those that are installed.
constraints: $(ASV) ## write the installed versions to constraints.txt
	grep '^#' constraints.txt >constraints.new
	$(PIP) freeze | sed 's/+cpu$$//' | grep -iE \
	    "^($$(sed -n 's/==.*/==/p' constraints.txt | paste -sd '|' -))" >>constraints.new
	mv constraints.new constraints.txt

demo: $(DEMO) ## audit of a table, and datamodels of digits: demo/audit.html, demo/report.html
	$(BIN)/python examples/table_demo.py
	$(BIN)/python examples/digits_demo.py

test: $(DEV) ## run the tests and the examples in docstrings and documentation
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(COVER)

coverage: COVER := --cov --cov-report term --cov-fail-under 95
coverage: test ## the same, and fail if too little of the package was run

lint: $(DEV) ## check style, docstrings, formatting and the layers of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/flake8 skdatamodels
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/test_docstrings.py

docs: $(DEV) ## build the documentation: doc/_build/html/index.html
	$(BIN)/sphinx-build -q -j $(JOBS) -W --keep-going -b html doc doc/_build/html

bench: $(DEV) ## time the package against its references, see benchmarks/
	for script in benchmarks/*.py; do $(BIN)/python $$script || exit 1; done

asv: $(ASV) ## small benchmarks, whose figures are kept in benchmarks/asv/results/
	cd benchmarks/asv && $(abspath $(BIN))/asv machine --yes
	cd benchmarks/asv && $(abspath $(BIN))/asv run --python same \
	    --set-commit-hash $$(git rev-parse HEAD)

clean: ## remove what the targets above made, but for the environment
	rm -rf build demo doc/_build doc/auto_examples doc/generated doc/sg_execution_times.rst
	rm -rf .pytest_cache .ruff_cache .hypothesis .import_linter_cache .coverage* dist
	rm -rf benchmarks/asv/html
	find skdatamodels tests examples benchmarks doc -name __pycache__ -prune -exec rm -rf {} +
