# SPDX-License-Identifier: Apache-2.0
"""A board arrives whose key another station, or another ledger, had it make."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from station.adapters.ledger.reader import LedgerReader, UnitStory
from station.daemon import control
from station.domain.agent_record import RECORD_HEAD, recorded_key
from station.domain.credentials import Credentials
from station.domain.memory_map import READBACK_REGION
from station.factory_data.flat_tlv import Tag, decode_readback
from station.line.status import SlotStatus, Status
from tests.builders.line import Line
from tests.builders.station_demo import ROOT, SHORT_DEADLINES
from tests.line.standing_line import Standing, issued
from tests.line.test_other_procedures import shipped

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]

REASON = "the first station is no more"
PATIENCE = 300
FULL = ROOT / "tests" / "vectors" / "st" / "Full_FactoryData.json"
RECONFIGURING = f'name = "desk"\nprocedure = "reconfigure"\n\n[factory_data]\njson = "{FULL}"\n'


class Other:
    """A second station with an empty ledger in a separate state folder, at the first one's bench."""

    def __init__(self, first: Standing, recipe: Path | None = None) -> None:
        self.first = first
        self.state = first.line.folder / "other-state"
        self.config = first.line.folder / "other.toml"
        self.state.mkdir()
        text = (first.line.folder / "line.toml").read_text()
        text = text.replace('state = "."', 'state = "other-state"').replace('"demo-line"', '"other-line"')
        head, _, rest = text.partition("\n")
        self.config.write_text(text if recipe is None else f"recipe = {json.dumps(str(recipe))}\n{rest}")
        assert head.startswith("recipe = ")

    @contextmanager
    def standing(self) -> Iterator["Other"]:
        daemon = self.first.line.processes["daemon"]
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(PATIENCE)
        url = json.loads((self.first.line.folder / "pki" / "ready.json").read_text())["url"]
        command = [sys.executable, "-m", "station", "run", "--config", str(self.config)]
        with subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "STATION__PKI__URL": url},
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        ) as process:
            try:
                deadline = time.monotonic() + PATIENCE
                while not self.answers():
                    assert process.poll() is None
                    assert time.monotonic() < deadline
                    time.sleep(0.02)
                yield self
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(PATIENCE)

    def answers(self) -> bool:
        try:
            control.ask(self.state / "station.sock", "status")
        except (control.DaemonAbsent, FileNotFoundError):
            return False
        return True

    def judged(self) -> SlotStatus:
        """Plugs in the board of slot 1, awaits its verdict, and pulls it."""
        self.first.bench("plug", "1")
        slot = self._wait(lambda slot: slot.verdict is not None)
        self.first.bench("unplug", "1")
        self._wait(lambda slot: slot.probe is None)  # until then the slot shows this verdict
        return slot

    def _wait(self, so: Callable[[SlotStatus], bool]) -> SlotStatus:
        deadline = time.monotonic() + PATIENCE
        while not so(slot := self.slot()):
            assert time.monotonic() < deadline, slot
            time.sleep(0.02)
        return slot

    def slot(self) -> SlotStatus:
        return Status.model_validate(control.ask(self.state / "station.sock", "status")).slots[0]

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs `station … --config` for this station."""
        command = [sys.executable, "-m", "station", *arguments, "--config", str(self.config)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    def story(self, uid: str | None) -> UnitStory:
        found = LedgerReader(self.state / "ledger.sqlite").unit(uid or "")
        assert found is not None
        return found


def memories(standing: Standing) -> dict[str, bytes]:
    """The content of the board's memories, by file."""
    (folder,) = (standing.line.folder / "boards").iterdir()
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def key_of(memories: Mapping[str, bytes]) -> str | None:
    """The key in the agent's record."""
    at = RECORD_HEAD.address - 0x08000000
    return recorded_key(memories["internal.bin"][at : at + RECORD_HEAD.size])


def dac_of(memories: Mapping[str, bytes]) -> bytes:
    at = READBACK_REGION.address - 0x90000000
    found = decode_readback(memories["qspi.bin"][at : at + READBACK_REGION.size])
    return found.records[Tag.DEVICE_ATTESTATION_CERTIFICATE]


@pytest.fixture
def first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Standing]:
    """A line whose only board has passed, and was pulled."""
    for name, value in SHORT_DEADLINES.items():
        monkeypatch.setenv(name, value)
    with Line.standing(tmp_path / "line", 1) as line:
        standing = Standing(line)
        assert standing.next_board(1).verdict == "pass"
        yield standing


def test_a_board_of_another_station_is_not_overwritten(first: Standing) -> None:
    """The attempt is void, the flash is unchanged, no certificate is issued, and the slot serves the next board."""
    before, bought = memories(first), issued(first)
    assert key_of(before) == Credentials(dac_of(before), b"").key
    with Other(first).standing() as other:
        slots = [other.judged() for _ in range(3)]  # as often as somebody tries
        for slot in slots:
            assert (slot.verdict, slot.fault, slot.service) == ("void", "unit.elsewhere", "in")
            assert "take it to an engineer" in (slot.reason or "")
        assert other.story(slots[0].uid).unit is None
    assert memories(first) == before
    assert issued(first) == bought


def test_a_released_board_is_provisioned_as_a_new_one(first: Standing) -> None:
    """After an engineer's release it gets this ledger's identity and certificate, and is ours from then on."""
    before = memories(first)
    with Other(first).standing() as other:
        uid = other.judged().uid or ""
        refused = other.command("units", "fresh", uid, "--reason", "")
        assert (refused.returncode, memories(first)) == (1, before)
        assert "one line" in refused.stderr
        assert other.judged().fault == "unit.elsewhere"
        released = other.command("units", "fresh", uid, "--reason", REASON)
        assert released.returncode == 0, released.stderr
        assert other.judged().verdict == "pass"
        after, story = memories(first), other.story(uid)
        assert other.judged().verdict == "pass"
        assert [attempt.summary.verdict for attempt in other.story(uid).attempts] == ["void", "void", "pass", "pass"]
        own = other.command("units", "fresh", uid, "--reason", REASON)
        assert (own.returncode, "this ledger's own" in own.stderr) == (1, True)
        assert REASON in other.command("units", "show", uid).stdout
    assert [release.reason for release in story.releases] == [REASON]
    assert all(release.account for release in story.releases)
    assert dac_of(after) != dac_of(before)
    assert len(issued(first)) == 2
    (certificate,) = story.certificates
    assert certificate.dac == dac_of(after)


@pytest.mark.parametrize("procedure", ["st-monitor", "reconfigure"])
def test_no_other_procedure_overwrites_it_either(first: Standing, tmp_path: Path, procedure: str) -> None:
    """Neither a partner's nor the laboratory's procedure may change a unit of another ledger."""
    before = memories(first)
    recipe = shipped(tmp_path)
    if procedure == "reconfigure":
        recipe.write_text(RECONFIGURING)
    with Other(first, recipe).standing() as other:
        slot = other.judged()
        assert (slot.verdict, slot.fault) == ("void", "unit.elsewhere")
        assert memories(first) == before
        assert other.command("units", "fresh", slot.uid or "", "--reason", REASON).returncode == 0
        assert [other.judged().verdict for _ in range(2)] == ["pass", "pass"]
    assert memories(first) != before


def test_a_ledger_that_knows_the_board_goes_on_as_ever(first: Standing) -> None:
    """The board's key is in the ledger."""
    first.bench("plug", "1")
    assert first.wait(1, lambda slot: slot.verdict is not None).verdict == "pass"
    assert len(issued(first)) == 1
