# Everything a newcomer or CI runs. Only Python 3.11 or later and make are needed.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
ENVS ?= .envs
export HF_HUB_OFFLINE = 1

.PHONY: demo test test-slow test-wheel test-integrations peers lint check peer-transformers clean

$(BIN)/promptfix: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(BIN)/pytest: $(BIN)/promptfix
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@

demo: $(BIN)/promptfix  ## install, then repair a few prompts on the embedded model
	$(BIN)/promptfix demo

test: $(BIN)/pytest  ## install the test extras and run the tests
	$(BIN)/python -m pytest -q -m "not slow and not integration"

test-slow: $(BIN)/pytest  ## the tests that take minutes: what the README does with a model of one's own
	$(BIN)/python -m pytest -q -m "slow"

test-wheel: $(BIN)/pytest  ## build the wheel and use it from another folder
	sh tests/wheel.sh $(BIN)/python

# Other people's programs, each in an environment of its own.
$(ENVS)/lm_eval/made: PACKAGES = 'lm-eval[api]==0.4.13' 'transformers==5.23.0'
$(ENVS)/litellm/made: PACKAGES = 'litellm[proxy]==1.108.7'
$(ENVS)/schemathesis/made: PACKAGES = 'schemathesis==4.32.5'
$(ENVS)/optillm/made: PACKAGES = 'optillm==0.4.0'

$(ENVS)/%/made: Makefile
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet $(PACKAGES)
	touch $@

test-integrations: $(BIN)/pytest $(ENVS)/lm_eval/made $(ENVS)/litellm/made $(ENVS)/schemathesis/made  ## lm-evaluation-harness, LiteLLM's proxy and schemathesis against a service
	$(BIN)/python -m pytest -q -m integration tests/integrations

peers: $(ENVS)/litellm/made $(ENVS)/optillm/made  ## install what eval/bench_gateway.py compares with

lint: $(BIN)/pytest  ## style, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

peer-transformers:  ## an environment of its own for `transformers serve`, which eval.bench_cost compares with
	$(PYTHON) -m venv .venv-transformers
	.venv-transformers/bin/python -m pip install --quiet --constraint constraints.txt torch 'transformers[serving]'

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache
