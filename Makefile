# Two commands: `make search` and `make test`. Both make .venv first if it is not there.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
CORES ?= $(shell nproc 2>/dev/null || echo 2)
CONFIG ?=
# --configfile takes several files, so it comes last.
CONFIGFILE := $(if $(CONFIG),--configfile $(CONFIG))
RESULTS := $(if $(CONFIG),results/$(basename $(notdir $(CONFIG))),results/default)

.PHONY: search report test test-slow bench lint docs install clean
search: install ## run a search with a monkey as the teacher, then Snakemake's own report
	$(BIN)/snakemake --cores $(CORES) search_with_monkey_teacher $(CONFIGFILE)
	$(BIN)/snakemake --cores $(CORES) search_with_monkey_teacher --report $(RESULTS)/provenance.html $(CONFIGFILE)

test: install ## everything but the slow tests
	$(BIN)/python -m pytest -q -m "not slow" --durations=10

test-slow: install ## the slow tests, whole searches among them
	$(BIN)/python -m pytest -q -m slow --durations=10

bench: install ## every benchmark and one table; leave the machine alone meanwhile
	$(BIN)/python benchmarks/all.py

lint: install ## style, types, the order of the parts, the API pages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/mypy
	$(BIN)/lint-imports
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict --site-dir .site

docs: install ## write the schema and the reference page of the configuration anew, and build the site in .site/
	$(BIN)/tgsage config-reference --write
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict --site-dir .site

install: $(VENV)/installed

# brainscore-brainio's metadata demand an xarray of 2022; it runs with the pinned one, hence --no-deps.
$(VENV)/installed: pyproject.toml constraints.txt Makefile
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test,lint,docs]'
	$(BIN)/python -m pip install --quiet --no-deps --constraint constraints.txt brainscore-brainio
	touch $@

clean:
	rm -rf $(VENV) results .snakemake .site build
