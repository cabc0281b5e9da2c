# SPDX-License-Identifier: Apache-2.0
"""Golden and known-bad boards hold the line until all have ended as expected; they are counted nowhere and get no certificate."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from station.adapters.ledger import Ledger, lot_reader
from station.adapters.ledger import samples as in_ledger
from station.adapters.ledger.reader import LedgerReader
from station.daemon import control
from station.daemon.absent_pki import WithoutPKI
from station.daemon.sample_commands import SampleCommands
from station.domain.attempt import IdentityReserved, LaboratoryUnit, Passed, Phase, UnitIdentified
from station.domain.intervention import DecisionRefused
from station.domain.policy import Suspicion
from station.domain.samples import Expected, Rules
from station.faults.line import LotFull, SamplesAreDue
from station.faults.unit import SampleUncertified
from station.line.line import Line
from station.line.samples import Samples
from station.procedure.certificates import NoneForSamples
from station.procedure.identity import admit, identity_of
from station.procedure.job import Job
from station.recipe.recipe import Recipe
from tests.builders.bench import RECIPE, Secrets, begun, recognised, rows, target
from tests.builders.commands import station
from tests.ledger.test_lot_balance import unit
from tests.ledger.test_lots import ANNA, lot

GOOD, BAD, OTHER = 1, 2, 3
NONE = Rules()
SILENT = Expected("fail", "board.silent")


def of(ledger: Ledger, line: Line, recipe: Recipe = RECIPE, rules: Rules = NONE) -> Samples:
    return Samples(ledger.samples, recipe, lambda: rules, line.open_to_new)


@pytest.fixture
async def line(ledger: Ledger, secrets: Secrets) -> Line:
    """A line with a good and a bad sample, neither of which has been met yet."""
    await unit(ledger, secrets, GOOD)
    await ledger.samples.add(target(GOOD).uid, Expected("pass"), ANNA)
    await ledger.samples.add(target(BAD).uid, SILENT, ANNA)
    return Line(Suspicion())


async def admitted(
    samples: Samples, board: int, *, slot: str = "1", probe: str = "066A", **other: str
) -> Expected | None:
    return await samples.admit(replace(target(board), **other), slot, probe)  # type: ignore[arg-type]  # by name


async def judge(samples: Samples, board: int, verdict: str, fault: str | None = None, *, slot: str = "1") -> None:
    expected = await admitted(samples, board, slot=slot)
    assert expected is not None
    await samples.judged(target(board).uid, expected, 7, verdict, fault)


async def meet(samples: Samples) -> None:
    await judge(samples, GOOD, "pass")
    await judge(samples, BAD, "fail", "board.silent")


async def test_other_boards_wait_until_all_samples_are_met(ledger: Ledger, line: Line) -> None:
    """A good one that fails, and a bad one that fails for another reason, meet nothing."""
    samples = of(ledger, line)
    with pytest.raises(SamplesAreDue) as caught:
        await admitted(samples, OTHER)
    assert caught.value.evidence == {"why": "a sample was added", "met": "0 of 2"}
    line.pause(caught.value)
    await judge(samples, GOOD, "fail", "flash.mismatch")
    await judge(samples, BAD, "fail", "flash.mismatch")
    await judge(samples, BAD, "pass")
    with pytest.raises(SamplesAreDue, match="0 of 2"):
        await admitted(samples, OTHER)
    await judge(samples, GOOD, "pass")
    await judge(samples, BAD, "void", "board.removed")
    with pytest.raises(SamplesAreDue, match="1 of 2"):
        await admitted(samples, OTHER)
    await judge(samples, BAD, "fail", "board.silent")
    assert line.paused_by is None
    assert await admitted(samples, OTHER) is None


async def test_a_line_without_samples_asks_for_none(ledger: Ledger) -> None:
    assert await admitted(of(ledger, Line(Suspicion())), OTHER) is None
    assert (await ledger.samples.state()).due is None


async def test_a_restart_forgets_nothing(ledger: Ledger, line: Line) -> None:
    """Neither what was met, nor that they are due."""
    await meet(of(ledger, line))
    again = of(ledger, line)
    assert await admitted(again, OTHER) is None
    await judge(again, GOOD, "fail", "flash.mismatch")
    with pytest.raises(SamplesAreDue, match=r"ended by flash\.mismatch"):
        await admitted(of(ledger, line), OTHER)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"probe": "066B"}, "slot 1 has another probe, 066B"),
        ({"programmer_version": "2.20.0"}, "the programmer is 2.20.0 and was 2.19.0"),
    ],
)
@pytest.mark.parametrize("restarted", [False, True])
async def test_another_tool_makes_them_due(
    ledger: Ledger, line: Line, change: dict[str, str], why: str, *, restarted: bool
) -> None:
    """Also where it was changed while the station did not run."""
    samples = of(ledger, line)
    await meet(samples)
    assert await admitted(samples, OTHER, slot="2", probe="066C") is None
    with pytest.raises(SamplesAreDue, match=why):
        await admitted(of(ledger, line) if restarted else samples, OTHER, **change)


async def test_samples_count_for_the_line_in_whatever_slot(ledger: Ledger, line: Line) -> None:
    """Also where the probe of one slot made them due; the attempts say in which slot each was met."""
    samples = of(ledger, line)
    await meet(samples)
    with pytest.raises(SamplesAreDue, match="slot 1 has another probe"):
        await admitted(samples, OTHER, probe="066B")
    await judge(samples, GOOD, "pass", slot="2")
    await judge(samples, BAD, "fail", "board.silent", slot="3")
    for slot, probe in (("1", "066B"), ("2", "066A"), ("4", "066D")):
        assert await admitted(samples, OTHER, slot=slot, probe=probe) is None


@pytest.mark.parametrize("restarted", [False, True])
async def test_probes_that_come_with_the_boards_are_no_change(ledger: Ledger, line: Line, *, restarted: bool) -> None:
    """Each board of a development kit brings its own."""
    rules = Rules(probes=False)
    samples = of(ledger, line, rules=rules)
    await meet(samples)
    for probe in ("066B", "066C", "066D"):
        assert await admitted(of(ledger, line, rules=rules) if restarted else samples, OTHER, probe=probe) is None


async def test_another_recipe_or_image_makes_them_due(ledger: Ledger, line: Line) -> None:
    await meet(of(ledger, line))
    with pytest.raises(SamplesAreDue, match="the recipe has changed"):
        await admitted(of(ledger, line, replace(RECIPE, sha256="77" * 32)), OTHER)
    await meet(of(ledger, line))
    image = replace(RECIPE.operational_image, content=b"newer")
    with pytest.raises(SamplesAreDue, match="an image has changed"):
        await admitted(of(ledger, line, replace(RECIPE, operational_image=image)), OTHER)


async def test_they_are_due_by_time(ledger: Ledger, line: Line) -> None:
    await meet(of(ledger, line))
    with pytest.raises(SamplesAreDue, match="too long ago"):
        await admitted(of(ledger, line, rules=Rules(every=1e-9)), OTHER)


async def test_a_sample_is_counted_nowhere(ledger: Ledger, path: Path, secrets: Secrets) -> None:
    """Its attempt is a laboratory's, it uses no serial number, and its place in the order is another unit's."""
    await ledger.open_lot(lot(planned=1, size=3), ANNA)
    await unit(ledger, secrets, GOOD)
    with pytest.raises(LotFull):
        await recognised(await begun(ledger, secrets), OTHER)
    await ledger.samples.add(target(GOOD).uid, Expected("pass"), ANNA)
    await ledger.samples.add(target(BAD).uid, SILENT, ANNA)
    samples = of(ledger, Line(Suspicion()))
    before = LedgerReader(path).totals()
    for board, serial_number in ((GOOD, "W0001"), (BAD, "SAMPLE")):
        journal = await begun(ledger, secrets)

        async def is_sample(found: object, board: int = board) -> bool:
            return await samples.admit(target(board), "1", "066A") is not None

        job = Job(None, RECIPE, WithoutPKI(), journal, is_sample)  # type: ignore[arg-type]  # the bench is not used
        async with journal.step(Phase.RECOGNISE):
            await journal.record(UnitIdentified.of(target(board)))
            await admit(job, target(board))
            identity = await identity_of(target(board).uid, RECIPE, journal)
            await journal.record(IdentityReserved(identity.serial_number))
        assert (identity.serial_number, journal.attempt.laboratory) == (serial_number, True)
        async with journal.step(Phase.CONFIRM):
            pass
        await journal.finish(Passed())
    after = LedgerReader(path).totals()
    assert (after.units, after.judged, after.passed_first) == (before.units, before.judged, before.passed_first)
    assert after.laboratory == 2
    assert len(list(LedgerReader(path).units())) == 1
    assert (await recognised(await begun(ledger, secrets), OTHER)).serial_number == "W0002"
    found = lot_reader.lot(path, "W1")
    assert found is not None
    assert (found[0].passed, found[0].in_work, found[1].samples, found[1].dacs_of_samples) == (0, 1, 1, 1)
    assert list(found[1].mistakes()) == []
    live = rows(path, "SELECT live FROM lot")
    await ledger.scrap(target(GOOD).uid, ANNA)
    assert rows(path, "SELECT live FROM lot") == live
    await ledger.rebuild()
    assert rows(path, "SELECT live FROM lot") == live
    found = lot_reader.lot(path, "W1")
    assert found is not None
    assert (found[1].samples, found[1].burned, list(found[1].mistakes())) == (0, 1, [])


async def test_a_sample_gets_no_certificate(ledger: Ledger, secrets: Secrets) -> None:
    """It is given the one that it has, and the PKI is never asked; other boards ask as ever."""
    await unit(ledger, secrets, GOOD)
    journal = await begun(ledger, secrets)
    authority = NoneForSamples(WithoutPKI(), journal, RECIPE)
    async with journal.step(Phase.RECOGNISE):
        await journal.record(UnitIdentified.of(target(GOOD)))
        await journal.record(LaboratoryUnit())
    await authority.check_askable(target(GOOD).uid)
    await authority.askable(target(GOOD).uid)
    for board in (GOOD, BAD):
        with pytest.raises(SampleUncertified):
            await authority.issue_dac(csr(), target(board).uid)


def csr() -> bytes:
    """A request for a key that no unit of the test has."""
    key = ec.generate_private_key(ec.SECP256R1())
    return x509.CertificateSigningRequestBuilder(x509.Name([])).sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    ("board", "expected", "why"),
    [
        (GOOD, Expected("pass"), "is a sample already"),
        (OTHER, Expected("pass"), "has not passed here"),
        (OTHER, Expected("fail"), "expected to pass, or to fail"),
    ],
)
async def test_what_cannot_be_a_sample_is_refused(
    ledger: Ledger, line: Line, board: int, expected: Expected, why: str
) -> None:
    assert line.paused_by is None
    with pytest.raises(DecisionRefused, match=why):
        await ledger.samples.add(target(board).uid, expected, ANNA)


async def test_the_daemon_adds_and_removes(ledger: Ledger, path: Path, line: Line) -> None:
    """Without samples nothing is due, and boards that were held go on."""
    commands = SampleCommands(ledger, RECIPE, line).by_name
    by = {"who": "anna", "reason": "worn out"}
    for board in (GOOD, BAD):
        line.pause(SamplesAreDue("", ""))
        answer = await commands["sample_remove"]({"uid": str(target(board).uid)} | by)
        assert isinstance(answer, Mapping)
        assert line.paused_by is None
    assert in_ledger.listed(path) == []
    assert await admitted(of(ledger, line), OTHER) is None
    with pytest.raises(control.CommandRefused, match="is no sample"):
        await commands["sample_remove"]({"uid": str(target(BAD).uid)} | by)
    await commands["sample_add"]({"uid": str(target(BAD).uid), "verdict": "fail", "fault": "board.silent"} | by)
    told = await asyncio.to_thread(station, "samples", "list", "--json", "--ledger", path)
    (found,) = json.loads(told.stdout)["samples"]
    assert (found["verdict"], found["fault"], found["account"], found["good"]) == ("fail", "board.silent", "anna", None)


async def test_what_is_known_of_the_samples_is_read_anew_once_it_has_changed(ledger: Ledger, secrets: Secrets) -> None:
    """Every board asks for it, so it is remembered meanwhile."""
    await unit(ledger, secrets, GOOD)
    before = await ledger.samples.state()
    assert await ledger.samples.state() is before
    await ledger.samples.add(target(GOOD).uid, Expected("pass"), ANNA)
    assert (await ledger.samples.state()).known == {target(GOOD).uid: Expected("pass")}
    await ledger.samples.remove(target(GOOD).uid, ANNA)
    assert (await ledger.samples.state()).known == {}
