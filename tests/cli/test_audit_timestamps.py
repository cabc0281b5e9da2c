# SPDX-License-Identifier: Apache-2.0
"""Time stamps of checkpoints (RFC 3161): taken, checked and shown; whatever else comes instead is refused, and stops nothing."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rfc3161_client import HashAlgorithm
from structlog.testing import capture_logs

from station.adapters.ledger import Ledger, checkpoint_file
from station.adapters.ledger.timestamps import NotAStamp, StampAuthority
from station.cli.exit_codes import FAILED
from station.config.audit import AuditSection
from station.config.problems import ConfigurationInvalid
from station.daemon.checkpointing import Checkpointing
from station.daemon.timestamping import Timestamping
from station.doctor import audit_files
from station.doctor.settings import Settings
from station.domain.checkpoint import LARGEST_STAMP, Checkpoint, Signed, verified
from tests.builders.bench import Secrets, begun, execute, passed, rows
from tests.builders.tsa import REFUSAL, Authority, Signer, about, serving
from tests.cli.test_audit import KEY, Bench

POINT = Checkpoint("line", "5e" * 16, 0, 7, bytes(32), datetime(2026, 11, 27, tzinfo=UTC)).signed(KEY)
STATEMENT = POINT.checkpoint.statement()
SOON = 0.3  # seconds for an answer that never comes
PATIENT = 60.0


@pytest.fixture
async def authority(tmp_path: Path) -> AsyncIterator[Authority]:
    async with serving(tmp_path / "tsa") as made:
        yield made


@pytest.fixture
def other(tmp_path: Path) -> Signer:
    """An authority with names like the first one's, and other keys."""
    return Signer(tmp_path / "other")


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "machine"))
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    return Bench(tmp_path)


def asking(authority: Authority, within: float = PATIENT) -> Timestamping:
    return Timestamping(authority.url, StampAuthority.of(authority.signer.ca), within)


async def test_a_stamp_says_when_the_statement_was_there(authority: Authority) -> None:
    stamped = await asking(authority).stamped(POINT)
    assert stamped.bare == POINT
    assert stamped.timestamp is not None
    at = StampAuthority.of(authority.signer.ca).check(STATEMENT, stamped.timestamp)
    assert abs(datetime.now(UTC) - at) < timedelta(hours=1)
    assert verified(stamped.line()) == stamped


@pytest.mark.parametrize(
    ("instead", "told"),
    [
        (lambda made: lambda _: made.answer(about(b"another statement")), "Nonce mismatch"),
        (lambda made: lambda _: made.answer(about(STATEMENT)), "Nonce mismatch"),
        (lambda made: lambda _: made.answer(about(STATEMENT, HashAlgorithm.SHA512)), "no SHA-256"),
        (lambda made: lambda question: made.answer(question)[:-20], "no answer of a time-stamping authority"),
        (lambda _: lambda _: b"<html>welcome</html>", "no answer of a time-stamping authority"),
        (lambda _: lambda _: b"", "no answer of a time-stamping authority"),
        (lambda _: lambda _: REFUSAL, "status 2"),
        (lambda _: lambda _: bytes(LARGEST_STAMP + 1), "is longer than"),
    ],
    ids=["imprint", "nonce", "algorithm", "torn", "garbage", "nothing", "refusal", "size"],
)
async def test_whatever_comes_instead_is_no_stamp(
    authority: Authority, instead: Callable[[Signer], Callable[[bytes], bytes]], told: str
) -> None:
    authority.instead = instead(authority.signer)
    with pytest.raises(NotAStamp, match=told):
        await asking(authority).stamped(POINT)


async def test_another_signer_is_refused(authority: Authority, other: Signer) -> None:
    authority.instead = other.answer
    with pytest.raises(NotAStamp, match="verifying certificates"):
        await asking(authority).stamped(POINT)


async def test_a_changed_stamp_is_refused(authority: Authority) -> None:
    """The last bytes are the signature's, and the moment is under it."""
    good = authority.signer.answer(about(STATEMENT))
    pinned = StampAuthority.of(authority.signer.ca)
    pinned.check(STATEMENT, good)
    year = good.index(b"20", good.index(bytes.fromhex("180f")))
    for changed in (
        good[:-3] + bytes([good[-3] ^ 1]) + good[-2:],
        good[:year] + b"19" + good[year + 2 :],
    ):
        with pytest.raises(NotAStamp):
            pinned.check(STATEMENT, changed)
    with pytest.raises(NotAStamp, match="Mismatch between messages"):
        pinned.check(b"another statement", good)


async def test_errors_and_silence_are_no_stamp(authority: Authority) -> None:
    authority.status = 500
    with pytest.raises(NotAStamp, match="HTTP 500"):
        await asking(authority).stamped(POINT)
    authority.instead = lambda _: None
    with pytest.raises(NotAStamp, match="no answer within"):
        await asking(authority, SOON).stamped(POINT)
    with pytest.raises(NotAStamp, match=r"127\.0\.0\.1"):
        await Timestamping("http://127.0.0.1:9/tsr", StampAuthority.of(authority.signer.ca)).stamped(POINT)


class Line:
    """A daemon's ledger and checkpoints, with this authority."""

    def __init__(self, bench: Bench, authority: Authority) -> None:
        self.bench = bench
        self.ca = authority.signer.ca
        bench.section = AuditSection(
            signing_key=bench.key, copy_to=bench.copies, timestamp_url=authority.url, timestamp_ca=self.ca
        )
        own = f'timestamp_url = "{authority.url}"\ntimestamp_ca = "{self.ca}"\ncopy_to'
        bench.config.write_text(bench.config.read_text().replace("copy_to", own))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[tuple[Ledger, Checkpointing]]:
        opening: AbstractAsyncContextManager[Ledger] = Ledger.open(self.bench.ledger, station="line")
        async with opening as ledger, Checkpointing.opened(ledger, self.bench.section, "line") as made:
            yield ledger, made

    @property
    def copies(self) -> list[Signed]:
        return [verified(text) for _, text in checkpoint_file.lines(self.bench.copy)]

    async def said(self, *arguments: str | Path, status: int = 0) -> str:
        return await asyncio.to_thread(self.bench.said, *arguments, status=status)


async def test_checkpoints_are_stamped_in_ledger_and_copies(bench: Bench, authority: Authority) -> None:
    line = Line(bench, authority)
    async with line.running() as (ledger, made):
        await passed(await begun(ledger, Secrets((1,))), board=1)
        signed = await made.once()
        assert signed is not None
        await made.stamp()
        await made.stamp()
        assert authority.asked == 1
    bare, stamped = line.copies
    assert bare.line() == stamped.bare.line() == signed.line()
    assert rows(bench.ledger, "SELECT signed FROM checkpoint") == [(stamped.line(),)]
    assert f"time stamp of line {signed.checkpoint.number}: 20" in await line.said("show")
    said = await line.said("verify")
    assert f"2 time stamps; by the last one line {signed.checkpoint.number} of chain" in said
    assert said.endswith("sound\n")
    by_hand = ("--ledger", bench.ledger, "--checkpoints", bench.copy, "--key", signed.public_key.hex())
    assert "2 time stamps not checked" in await line.said("verify", *by_hand)
    assert "2 time stamps; by the last" in await line.said("verify", *by_hand, "--timestamp-ca", line.ca)


async def test_a_stamp_of_another_authority_or_checkpoint_is_found(
    bench: Bench, authority: Authority, other: Signer
) -> None:
    line = Line(bench, authority)
    async with line.running() as (ledger, made):
        await passed(await begun(ledger, Secrets((1,))), board=1)
        signed = await made.once()
    assert signed is not None
    for by, statement in ((other, signed.checkpoint.statement()), (authority.signer, b"another statement")):
        planted = replace(signed, timestamp=by.answer(about(statement)))
        execute(bench.ledger, "UPDATE checkpoint SET signed = ?", planted.line())
        said = await line.said("verify", status=FAILED)
        assert f"the ledger's checkpoint of line {signed.checkpoint.number}: its time stamp proves nothing" in said
        assert "it proves nothing" in await line.said("show")


async def test_an_authority_that_is_away_stops_nothing(bench: Bench, authority: Authority) -> None:
    """Boards and checkpoints go on; the newest checkpoint is stamped when the authority is back, at the next start at the latest."""
    line = Line(bench, authority)
    authority.status = 503
    async with line.running() as (ledger, made):
        await passed(await begun(ledger, Secrets((1,))), board=1)
        first = await made.once()
        with capture_logs() as logged:
            await made.stamp()
        assert [(each["event"], each["reason"]) for each in logged] == [("audit.not_stamped", "HTTP 503")]
        await passed(await begun(ledger, Secrets((2,))), board=2)
    authority.status = 200
    last = line.copies[-1]
    assert first is not None
    assert last.checkpoint.number > first.checkpoint.number
    async with line.running() as (_, made):
        await made.stamp()
        assert line.copies[-1] == replace(last, timestamp=line.copies[-1].timestamp)
        assert line.copies[-1].timestamp is not None
        asked = authority.asked
        await made.stamp()
        assert authority.asked == asked
    assert (await line.said("verify")).endswith("sound\n")


async def test_the_authority_is_asked_without_anybody_waiting(bench: Bench, authority: Authority) -> None:
    line = Line(bench, authority)
    asked = asyncio.Event()

    def silent(_: bytes) -> None:
        asked.set()

    authority.instead = silent
    async with line.running() as (ledger, made), asyncio.TaskGroup() as group:
        stamping = group.create_task(made.run_stamping())
        await passed(await begun(ledger, Secrets((1,))), board=1)
        assert await made.once() is not None
        await asked.wait()
        await passed(await begun(ledger, Secrets((2,))), board=2)
        assert await made.once() is not None
        stamping.cancel()
    assert [each.timestamp for each in line.copies] == [None, None]


async def test_a_stamped_copy_is_never_the_newest(bench: Bench, authority: Authority) -> None:
    """Its stamp may come after the next checkpoint: a ledger that was cut between the two is still noticed."""
    line = Line(bench, authority)
    async with line.running() as (ledger, made):
        await passed(await begun(ledger, Secrets((1,))), board=1)
        first = await made.once()
        await passed(await begun(ledger, Secrets((2,))), board=2)
        second = await made.once()
        assert first is not None
        checkpoint_file.append(bench.copy, await asking(authority).stamped(first))
        assert second is not None
        assert [each.line() for each in checkpoint_file.newest(bench.copy, None)] == [second.line()]


async def test_a_line_does_not_start_with_an_authority_that_it_cannot_check(bench: Bench, authority: Authority) -> None:
    line = Line(bench, authority)
    line.ca.write_text("-----BEGIN CERTIFICATE-----")
    with pytest.raises(ConfigurationInvalid, match="no certificate in PEM"):
        async with line.running():
            pass
    audit = {"signing_key": str(bench.key), "timestamp_ca": str(line.ca)}
    (problem,) = audit_files.mistakes(Settings(bench.config, {"audit": audit}))
    assert "audit.timestamp_ca" in str(problem)


def test_address_and_certificate_belong_together(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="belong together"):
        AuditSection(timestamp_url="https://tsa.example.net/tsr")
    with pytest.raises(ValueError, match="belong together"):
        AuditSection(timestamp_ca=tmp_path / "ca.pem")
