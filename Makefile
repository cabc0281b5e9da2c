# Each target sets up what it needs; nothing has to be installed beforehand but python3 (3.11 or later), make and git.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready-$(shell cksum requirements.lock pyproject.toml | cksum | cut -d' ' -f1)
PACKAGES := station virtual_bench development_pki
SOURCES := $(PACKAGES) tests firmware_images docs/examples

.PHONY: demo test check fix lint types contracts fast fuzz fuzz-readers clean

demo: $(READY)
	$(BIN)/station demo

test: check
	$(BIN)/python -X dev -m pytest -m line -n 2 --dist worksteal

check: lint types contracts fast

lint: $(READY)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)

types: $(READY)
	$(BIN)/mypy --strict $(PACKAGES) tests docs/examples

contracts: $(READY)
	$(BIN)/lint-imports

fast: $(READY)
	$(BIN)/python -X dev -m pytest -m "not line" -n 2 --dist worksteal

fuzz: fuzz-readers

# A million spoiled inputs over every reader of what boards, authorities and people hand in; some minutes.
fuzz-readers: $(READY)
	$(BIN)/python -X dev -m tests.fuzz.readers --count 1000000

fix: $(READY)
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

$(READY): requirements.lock pyproject.toml tools/setup firmware_images/padding.py
	tools/setup $(VENV)
	rm -f $(VENV)/ready-*
	touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
