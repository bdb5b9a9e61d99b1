# imagekit: the targets that people and CI use. `make help` lists them.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PROFILE ?= debian12-desktop
PERSON ?= demo
ENGINE ?= default
PYTHON ?= python3

BIN := .venv/bin
IMAGEKIT := $(BIN)/imagekit
TESTED := .cache/tested
# Has an engine, and sets DOCKER_HOST in the recipe's shell when it is the modern one.
ON_ENGINE := host=$$(.ci/engine up $(if $(filter-out default,$(ENGINE)),--$(ENGINE))) || exit $$?; \
	[ -z "$$host" ] || export "$$host";

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# ---- people ---------------------------------------------------------------

.PHONY: demo
demo: .venv/runtime ## Build, test and run a desktop, and say how to log in
	@mkdir -p .cache
	@$(ON_ENGINE) \
	$(IMAGEKIT) build $(PROFILE) > .cache/built && \
	if cmp --silent .cache/built $(TESTED); then \
		echo "$(PROFILE): this very image was smoke-tested before" >&2; \
	else \
		$(IMAGEKIT) test $(PROFILE) && cp .cache/built $(TESTED); \
	fi && \
	$(IMAGEKIT) run $(PROFILE) --name $(PERSON) > /dev/null && \
	$(IMAGEKIT) card $(PERSON) --passwords

.PHONY: demo-clean
demo-clean: .venv/runtime ## Remove what `make demo` started, its home included
	@$(ON_ENGINE) $(IMAGEKIT) rm $(PERSON) --purge --yes $(PERSON)

.PHONY: engine
engine: ## Have a Docker Engine here (ENGINE=modern: a current one beside it)
	@.ci/engine up $(if $(filter-out default,$(ENGINE)),--$(ENGINE))

# ---- developers -----------------------------------------------------------

.PHONY: test
test: lint test-unit test-docker ## All tests, those on a real engine included

.PHONY: test-unit
test-unit: .venv/dev ## The tests that need no engine; seconds
	$(BIN)/pytest --numprocesses auto tests/unit tests/house

.PHONY: test-docker
test-docker: .venv/dev ## The tests that need an engine
	@$(ON_ENGINE) $(BIN)/pytest tests/docker $(PYTEST_ARGS)

.PHONY: lint
lint: .venv/dev ## Formatting, lint, types, import contracts
	$(BIN)/ruff format --check imagekit tests
	$(BIN)/ruff check imagekit tests
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

.PHONY: golden
golden: .venv/runtime ## Render the golden files anew; review the diff
	@rm -rf tests/golden && for name in $$($(IMAGEKIT) list --names); do \
		folder=tests/golden/$$name && $(IMAGEKIT) render $$name -o $$folder && \
		(cd $$folder && find . -type f -printf '%m %P\n' | LC_ALL=C sort -k 2 > ../files) && \
		rm -r $$folder/build $$folder/rootfs && mv tests/golden/files $$folder/files || exit; \
	done

.PHONY: catalogue
catalogue: .venv/runtime ## Compile the catalogue's tables from their YAML
	$(BIN)/python .ci/catalogue

.PHONY: reference
reference: .venv/runtime ## Write docs/reference anew from code and data
	$(BIN)/python .ci/reference

.PHONY: screenshots
screenshots: .venv/dev ## Take docs/screens anew in a real Chromium: minutes
	@$(ON_ENGINE) $(BIN)/python .ci/screenshots

.PHONY: example-report
example-report: .venv/dev ## Make docs/examples/report anew: test PROFILE, keep the page
	@$(ON_ENGINE) $(BIN)/python .ci/example-report $(PROFILE)

.PHONY: fuzz
fuzz: .venv/dev ## 20,000 generated profiles and sites: minutes
	IMAGEKIT_FUZZ=20000 $(BIN)/pytest tests/unit/test_fuzz.py

.PHONY: bench
bench: .venv/dev ## Times, memory, sizes, and builds against hand-written ones: an hour (BENCH_ARGS="--only start")
	@$(ON_ENGINE) $(BIN)/python -m tests.bench.run $(BENCH_ARGS)

.PHONY: soak
soak: .venv/dev ## Restarts, kills, ways to run, broken images, unbroken ones again and again: two hours
	@$(ON_ENGINE) $(BIN)/pytest tests/soak $(PYTEST_ARGS)

.PHONY: capabilities
capabilities: .venv/dev ## Which capabilities each feature needs
	@$(ON_ENGINE) $(BIN)/python -m tests.soak.capabilities imagekit/$(PROFILE):latest

.PHONY: proto
proto: .venv/dev ## Generate the protobuf code anew
	$(BIN)/python -m grpc_tools.protoc --proto_path=imagekit/engine/protocol \
		--python_out=imagekit/engine/protocol --pyi_out=imagekit/engine/protocol \
		imagekit/engine/protocol/*.proto

.venv/runtime: pyproject.toml
	@.ci/venv $(PYTHON) .
	@mkdir -p .cache && touch $@

.venv/dev: .venv/runtime
	@.ci/venv $(PYTHON) '.[dev]'
	@touch $@
