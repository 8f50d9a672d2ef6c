# The only two commands that a fresh machine needs are `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: demo lint test check clean

$(BIN)/python:
	$(PYTHON) -m venv .venv

# What users get.
.venv/.installed-core: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install -q --disable-pip-version-check -e .
	@touch $@

# What developers need beside it.
$(INSTALLED): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[dev]'
	@touch $@ .venv/.installed-core

demo: .venv/.installed-core
	$(BIN)/lilliput demo

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell

test: lint
	$(BIN)/python -m pytest -n auto

# The inner loop: everything but the tests that take more than a second or two.
check: lint
	$(BIN)/python -m pytest -n auto -m "not slow"

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage*
