# SPDX-License-Identifier: Apache-2.0
# Each target sets up its own environment; it needs only python3 (3.11 or later), make and git. PYTHON=… names another interpreter.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready-$(shell { cksum requirements.lock tests/web/requirements.lock pyproject.toml; echo "$(PYTHON)"; } | cksum | cut -d' ' -f1)
PACKAGES := station virtual_bench development_pki
SOURCES := $(PACKAGES) benchmarks tests firmware_images docs/examples tools
COMMISSIONING := tests/commissioning
COMMISSIONERS := $(COMMISSIONING)/.venv/ready-$(shell cat $(COMMISSIONING)/requirements.lock $(COMMISSIONING)/package-lock.json | cksum | cut -d' ' -f1)

DEMO_ARGS :=
BOARDS := 2000
SEED := 1
HOURS := 1
BENCH_ARGS :=
ARGS :=

# Images of containers set this; without compiled modules every process that the tests start would take half as long again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo bench test test-commissioning check fix lint types contracts fast covered soak thousand lot labelled kills kill-table pki-table burst campaign campaign-shared campaign-shared-bugs stateful-shared shared-away fuzz fuzz-readers fuzz-agent fuzz-attestation firmware wheelhouse bare-install compilers umockdev chromium mosquitto softhsm postgresql clean

# `make demo DEMO_ARGS=--stay` leaves the page up until Ctrl-C; `station demo --help` has the other options.
demo: $(READY)
	$(BIN)/station demo $(DEMO_ARGS)

# Measures the station in real time, some minutes: `make bench BENCH_ARGS=--quick`, or `--help`. Nothing else should run.
bench: $(READY)
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

# mypy and the tests share the two cores of a small machine. Tests of whole lines wait most of their time: seven workers keep both busy.
test: compilers umockdev chromium mosquitto softhsm postgresql $(READY)
	$(MAKE) --jobs=2 covered lint types contracts
	$(BIN)/python -X dev -m pytest -m "(line or slow) and not commissioning" -n 7 --dist loadfile --no-loadscope-reorder --durations=25
	$(MAKE) test-commissioning

# The fixtures of a file do most of the work: a second worker for its tests would do it again.
test-commissioning: $(READY) $(COMMISSIONERS)
	$(BIN)/python -X dev -m pytest -m commissioning -n 2 --dist loadfile $(COMMISSIONING) tests/label

# What takes long is only in `make test`, which also runs everything in Python's development mode.
check: $(READY)
	$(MAKE) --jobs=2 fast lint types contracts

# The tests build C: for this machine, and for the board's core.
compilers:
	tools/compilers

# The tests of hotplug pretend a USB host.
umockdev:
	tools/umockdev

# The tests of the operator's page look at it in a browser; their screenshots are in build/screenshots.
chromium:
	tools/chromium

# The tests of MQTT talk to a broker.
mosquitto:
	tools/mosquitto

# The tests of sealed keys have a token in software.
softhsm:
	tools/softhsm

# The tests of the shared ledger start servers of their own from its programs.
postgresql:
	tools/postgresql

lint: $(READY)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)

types: $(READY)
	$(BIN)/mypy --strict $(PACKAGES) benchmarks tests firmware_images docs/examples tools

contracts: $(READY)
	$(BIN)/lint-imports

fast: $(READY)
	$(BIN)/python -m pytest -m "not slow and not line and not commissioning" -n 3 --dist worksteal

# The fast tests under coverage; fails below the floor in pyproject.toml. `coverage report` then names the lines.
covered: $(READY)
	$(BIN)/coverage erase
	$(BIN)/python -X dev -m coverage run -m pytest -m "not slow and not line and not commissioning" -n 3 --dist worksteal
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --format=total

# A line in real time at a factory's rates, judged by what grows: `make soak HOURS=2`, `make soak ARGS="--judge FILE"`. docs/performance.md
soak: $(READY)
	$(BIN)/python -m tests.soak.run --hours $(HOURS) $(ARGS)

# A thousand boards at sixteen slots, calm and then pulled at random moments; five minutes.
thousand: $(READY)
	$(BIN)/python -m tests.line.thousand --boards 1000 --slots 16
	$(BIN)/python -m tests.line.thousand --boards 1000 --slots 16 --pulls 0.5

# A work order of a hundred units with everything that befalls one, counted by boards, PKI, printer and receiver; some minutes.
lot: $(READY)
	$(BIN)/python -m tests.line.lot --units 100 --faults 20

# 64 boards whose labels are required: printed, drawn, read, bound by their scan, and commissioned by both commissioners; three minutes.
labelled: $(READY) $(COMMISSIONERS)
	$(BIN)/python -m tests.commissioning.labelled

# kill -9 of the daemon at each moment between verdict, print, scan and delivery to webhook and MQTT; four minutes.
kills: $(READY) mosquitto
	$(BIN)/python -m tests.line.kills

# kill -9 of every process in every state of an attempt, which makes the tables of docs/reliability.md; forty minutes.
# `make kill-table ARGS="--only ram"` tries and writes one kind of line: flash, ram or shared.
kill-table: $(READY) postgresql
	$(BIN)/python -m tests.line.kill_table $(ARGS)

# Every behaviour of a PKI at a whole line, which makes docs/pki-behaviours.md, and long trials with many boards; ten minutes.
pki-table: $(READY)
	$(BIN)/python -m tests.line.pki_table
	$(BIN)/python -X dev -m pytest tests/line/pki_trials.py

# A full hub that comes up at once: 64 boards within 100 ms; two minutes, as root. Nothing else should run.
burst: $(READY) umockdev
	tests/hotplug/roomy_network.sh $(BIN)/python -m tests.hotplug.burst

# Hundreds of boards, and everything that can befall board, line and PKI, judged by a referee; half an hour for 2000.
# `make campaign ARGS="--stations 2"`: at two stations with one PostgreSQL.
campaign: $(READY) postgresql
	$(BIN)/python -m tests.campaign.run --boards $(BOARDS) --seed $(SEED) $(ARGS)

# A hundred stations, one centre and every disaster, judged by a referee; half an hour: `make campaign-shared ARGS="--seed 2"`.
campaign-shared: $(READY) postgresql
	$(BIN)/python -m tests.shared.campaign $(ARGS)

# The same, smaller, with each of five planted faults, which the referee must find; ten minutes.
campaign-shared-bugs: $(READY) postgresql
	$(BIN)/python -m tests.shared.campaign.bugs $(ARGS)

# Three stations as a state machine for longer than in `make test`, and with two planted faults, which it must find; some minutes.
stateful-shared: $(READY) postgresql
	$(BIN)/python -m tests.shared.stateful $(ARGS)

# Two stations of 64 slots make their units while their centre is away; two minutes, or an hour: `make shared-away ARGS="--away 3600"`.
shared-away: $(READY) postgresql
	$(BIN)/python -m tests.line.away $(ARGS)

fuzz: fuzz-readers fuzz-agent fuzz-attestation

# A million spoiled inputs for every reader of input from boards, authorities and people; some minutes.
fuzz-readers: $(READY)
	$(BIN)/python -X dev -m tests.fuzz.readers --count 1000000

# A minute for each of the agent's parsers in C.
fuzz-agent: $(READY)
	tools/compilers
	$(BIN)/python -m tests.firmware.fuzz --seconds 60

# An hour of mutated attestations, each judged by the CHIP SDK's verifier and by the station's.
fuzz-attestation: $(READY) $(COMMISSIONERS)
	$(BIN)/python -m tests.commissioning.differential --seconds 3600

# Rebuilds the images, byte for byte if the compiler is the one that the manifest names; prints the agent's size.
firmware:
	tools/compilers
	python3 firmware_images/build.py

# Everything that `pip install --no-index` needs on a PC without a network: the station's wheel and its dependencies, as locked.
wheelhouse: $(READY)
	rm -rf build/wheelhouse
	mkdir -p build/wheelhouse
	$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir build/wheelhouse .
	tools/locked-versions > build/constraints.txt
	$(BIN)/pip download --quiet --disable-pip-version-check --dest build/wheelhouse --constraint build/constraints.txt build/wheelhouse/matter_provisioning_station-*.whl 'matter-provisioning-station[bench,labels,mqtt,pkcs11,shared,timestamp]' --find-links build/wheelhouse
	@ls build/wheelhouse | wc -l | xargs printf 'build/wheelhouse: %s files\n'

# The run book on a bare Debian without a network, under its own systemd, in a container: as root, on Debian; some minutes.
bare-install: $(READY)
	tools/bare-install

fix: $(READY)
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

$(READY): requirements.lock tests/web/requirements.lock pyproject.toml tools/setup firmware_images/padding.py
	tools/setup $(VENV)
	rm -f $(VENV)/ready-*
	touch $@

$(COMMISSIONERS): $(COMMISSIONING)/requirements.lock $(COMMISSIONING)/package-lock.json tools/setup-commissioners | $(READY)
	tools/setup-commissioners $(BIN)/python $(COMMISSIONING)
	rm -f $(COMMISSIONING)/.venv/ready-*
	touch $@

clean:
	rm -rf $(VENV) $(COMMISSIONING)/.venv $(COMMISSIONING)/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
