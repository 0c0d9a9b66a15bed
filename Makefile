# Everything runs in .venv, which the first target that needs it makes. PYTHON names another interpreter.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-all lint docs bench fuzz mutations pictures notebooks clean

demo: $(VENV)/.demo
	$(BIN)/python examples/gallery.py
	@echo "Look at results/part.png, gallery.png and beyond.png first"

# What takes under three minutes on two cores.
test: $(VENV)/.test
	$(BIN)/python -m pytest -n 2 -m "not slow" $(PYTEST)

# Everything that README promises: each extra is installed, and a test that lacks something fails instead of being skipped.
# PYTEST="--cov" measures which lines and branches of pail/ were run.
test-all: $(VENV)/.all
	PAIL_TEST_ALL=1 $(BIN)/python -m pytest -n 2 $(PYTEST)

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The documentation site, build/site/index.html. A warning is an error.
docs: $(VENV)/.docs
	$(BIN)/python docs/build.py build/site

bench: $(VENV)/.bench
	$(BIN)/python benchmarks/report.py
	$(BIN)/python benchmarks/dataset.py
	$(BIN)/python benchmarks/loader.py

fuzz: $(VENV)/.test
	$(BIN)/python tests/helpers/fuzz.py

mutations: $(VENV)/.test
	$(BIN)/python benchmarks/mutations.py

# The committed pictures and the table of docs/control.md: look at them before they are committed.
pictures: $(VENV)/.test
	$(BIN)/python examples/gallery.py --readme
	$(BIN)/python docs/plot_pictures.py
	$(BIN)/python examples/severity_table.py docs/control.md

notebooks: $(VENV)/.all
	$(BIN)/python docs/notebooks.py

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml | $(VENV)/bin/python
	@echo "Installing into $(VENV), which takes about a minute"
	$(BIN)/python -m pip install -q -e .
	touch $@

$(VENV)/.test: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q -e ".[test]"
	touch $@

$(VENV)/.all: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q -e ".[test,all]"
	touch $@

$(VENV)/.docs: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q -e ".[docs]"
	touch $@

$(VENV)/.bench: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q -e ".[bench]"
	touch $@

clean:
	rm -rf $(VENV) results build
