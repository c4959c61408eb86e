# Two commands matter: `make demo` and `make test`. Both make their own virtual environment in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint types imports unit golden native bench faults clean system-demo system-test system-bench

demo: $(VENV)/.installed system-demo
	$(BIN)/regsight demo $(ARGS)

test: $(VENV)/.installed-dev system-test $(if $(CI),native) lint types imports unit

# Servers, clocks and processes are real: on a shared CI machine one of them may be late once. A test that passes only the
# second time is shown as a rerun, so that it is seen and mended. Three files at a time: many wait for servers.
IN_CI := $(if $(CI),--reruns 1 -rR -n 3 --dist loadfile)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

imports: $(VENV)/.installed-dev
	$(BIN)/lint-imports

unit: $(VENV)/.installed-dev
	$(BIN)/pytest $(IN_CI) $(ARGS)

# Rewrites the golden files; look at the difference before committing it.
golden: $(VENV)/.installed-dev
	REGSIGHT_GOLDEN=write $(BIN)/pytest tests/dashboards tests/alerts

# The optional scanner, built into the environment where cargo is; without it Regsight reads everything in Python.
native: $(VENV)/.installed-dev
	@sh scripts/make-native.sh $(BIN)/python

# Every figure next to its target and to named peers; under 15 minutes. ARGS=--quick to see that it works.
bench: $(VENV)/.installed-dev system-bench native
	$(BIN)/python -m pip install --quiet --group bench
	$(BIN)/python -m benchmarks $(ARGS)

# Every fault at full size against the real process, and the table of docs/reliability.md; half an hour on a quiet machine.
# ARGS="F07 F20": only these; REGSIGHT_FAULTS_SEED: another seed.
faults: $(VENV)/.installed-dev system-test
	cd tests && ../$(BIN)/python -m faults.run $(ARGS)
	cd tests && ../$(BIN)/python -m faults.table

# Debian packages, where they may be installed; otherwise names what is missing and carries on.
system-demo:
	@sh scripts/system-packages.sh docker-registry skopeo htpasswd

system-test:
	@sh scripts/system-packages.sh docker-registry skopeo htpasswd nginx prometheus alertmanager rsyslog chromium java maven faketime

system-bench:
	@sh scripts/system-packages.sh rsyslog

$(VENV)/.venv: scripts/make-venv.sh
	@sh scripts/make-venv.sh $(PYTHON) $(VENV)
	@touch $@

$(VENV)/.installed: $(VENV)/.venv pyproject.toml
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --group dev
	@touch $@

clean:
	rm -rf $(VENV) demo regsight-data .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
