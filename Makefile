# Two commands matter: `make demo` and `make test`. Both make their own virtual environment in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint types imports unit golden clean system-demo system-test

demo: $(VENV)/.installed system-demo
	$(BIN)/regsight demo $(ARGS)

test: $(VENV)/.installed-dev system-test lint types imports unit

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

imports: $(VENV)/.installed-dev
	$(BIN)/lint-imports

unit: $(VENV)/.installed-dev
	$(BIN)/pytest $(ARGS)

# Rewrites the golden files; look at the difference before committing it.
golden: $(VENV)/.installed-dev
	REGSIGHT_GOLDEN=write $(BIN)/pytest tests/dashboards tests/alerts

# Debian packages, where they may be installed; otherwise names what is missing and carries on.
system-demo:
	@sh scripts/system-packages.sh docker-registry skopeo htpasswd

system-test:
	@sh scripts/system-packages.sh docker-registry skopeo htpasswd nginx prometheus alertmanager rsyslog chromium java maven

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
