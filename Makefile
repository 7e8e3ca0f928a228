# make run, make test, make verify, make docs: all set-up included, in .venv; needs python 3.11 or
# later and make.
PYTHON ?= python3
VENV   := .venv
STAMP  := $(VENV)/.installed
LINTED := $(VENV)/.dev
PAGED  := $(VENV)/.docs
BIN    := $(VENV)/bin
RANKS  ?= 2

# Some hundred processes start in the suite: byte code is kept, whatever the surroundings say.
export PYTHONDONTWRITEBYTECODE =

# Three parts side by side: the tests that start programs, shown while they run, those that start
# none, and those on SLURM, which wait for its timers most of the time.
define suite
@$(BIN)/python -m pytest $(2) -n 0 -m "$(1)not processes" > $(VENV)/quick.log 2>&1 & quick=$$!; \
$(BIN)/python -m pytest $(2) -m "$(1)processes" tests/slurm > $(VENV)/slurm.log 2>&1 & slurm=$$!; \
$(BIN)/python -m pytest $(2) -m "$(1)processes" --ignore=tests/slurm; programs=$$?; \
wait $$quick; inside=$$?; echo "tests that start no program:"; cat $(VENV)/quick.log; \
wait $$slurm; beside=$$?; echo "tests/slurm:"; cat $(VENV)/slurm.log; \
exit $$((programs + inside + beside))
endef

.PHONY: run test verify lint quick clean reference docs

run: $(STAMP)
	$(BIN)/mpiexec -n $(RANKS) $(BIN)/vmcnet run jobs/quantum_dot_2.toml --continue
	@$(BIN)/vmcnet report runs/quantum_dot_2.h5 --html runs/quantum_dot_2.html > $(VENV)/page
	@echo "the page of this run: $$(cat $(VENV)/page)"

test: $(STAMP)
	$(call suite,,)

# Hours: what passed on the same sources is not run again, so that it can be ended and gone on with.
verify: $(STAMP)
	$(call suite,(verify or not verify) and ,--resume)

# What a contributor runs before every commit; `make quick` is the tests that start no program.
lint: $(LINTED)
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy

quick: $(STAMP)
	$(BIN)/python -m pytest -m "not processes"

# The documentation site with search; a warning is an error.
docs: $(PAGED)
	$(BIN)/python -m sphinx -q -W --keep-going -b html docs build/docs
	@echo build/docs/index.html

reference: $(STAMP)
	$(BIN)/python docs/generate.py

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "vmcnet needs Python 3.11 or later: make PYTHON=python3.11 ..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "this Python cannot make virtual environments: install the package python3-venv (Debian, Ubuntu)"; exit 1; }
	@if [ ! -e $(BIN)/python ]; then rm -rf $(VENV).partial && $(PYTHON) -m venv $(VENV).partial && rm -rf $(VENV).partial && $(PYTHON) -m venv $(VENV); fi
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[mpi,plot,test]"
	@touch $@

$(LINTED): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev]"
	@touch $@

$(PAGED): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[docs]"
	@touch $@

clean:
	rm -rf $(VENV) build *.egg-info
