# SPDX-License-Identifier: Apache-2.0
"""`station audit`, and the line that stays closed after a restored backup."""

import asyncio
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from station.adapters.ledger import Ledger, checkpoint_file
from station.cli.exit_codes import DONE, FAILED, USAGE
from station.config.audit import AuditSection
from station.config.problems import ConfigurationInvalid
from station.daemon.checkpointing import Checkpointing
from station.daemon.control import CommandRefused
from station.doctor import audit_files
from station.doctor.settings import Settings
from station.domain.checkpoint import Signed
from station.faults.line import LedgerRolledBack, LedgerUnavailable
from tests.builders.bench import Secrets, begun, execute, passed
from tests.builders.commands import station
from tests.cli.hostile import configuration

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "machine"))
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    return tmp_path / "machine"


class Bench:
    """A line's files: its configuration, its ledger, its key and the folder for copies."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "line.toml"
        self.ledger = folder / "state" / "ledger.sqlite"
        self.copies = folder / "copies"
        self.key = folder / "audit.pem"
        for made in (self.ledger.parent, self.copies):
            made.mkdir()
        self.key.write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        self.key.chmod(0o600)
        self.section = AuditSection(signing_key=self.key, copy_to=self.copies)
        audit = f'[audit]\nsigning_key = "{self.key}"\ncopy_to = "{self.copies}"\n[[slot]]'
        self.config.write_text(configuration().replace("[[slot]]", audit), encoding="utf-8")

    @property
    def copy(self) -> Path:
        return checkpoint_file.file_of(self.copies, "line")

    async def make(self, *boards: int) -> None:
        """What a daemon does from its start to its end: compares, makes units, signs and copies."""
        async with (
            Ledger.open(self.ledger, station="line") as ledger,
            Checkpointing.opened(ledger, self.section, "line"),
        ):
            for board in boards:
                await passed(await begun(ledger, Secrets((board,))), board=board)

    def said(self, *arguments: str | Path, status: int = DONE) -> str:
        result = station("audit", *arguments, "--config", self.config)
        assert result.exit_code == status, result.output
        return result.output

    async def accepted(self, reason: str) -> str:
        """In a thread, since the command has a loop of its own."""
        return await asyncio.to_thread(self.said, "accept", "--reason", reason)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


async def test_a_sound_ledger_says_what_was_compared(bench: Bench) -> None:
    await bench.make(1)
    await bench.make(2)
    text = bench.said("verify")
    assert text.endswith("sound\n")
    assert "4 checkpoints" in text  # two of the ledger, and their copies
    shown = bench.said("show")
    newest = Signed.read(bench.copy.read_text().splitlines()[-1])
    assert f"checkpoint of line {newest.checkpoint.number}," in shown
    assert KEY.public_key().public_bytes_raw().hex() in shown


async def test_one_changed_byte_ends_with_exit_code_1_and_its_place(bench: Bench) -> None:
    await bench.make(1)
    execute(bench.ledger, "UPDATE attempt SET slot = '99' WHERE id = 1")
    text = bench.said("verify", status=FAILED)
    assert "attempt 1 (unit " in text
    assert "was changed" in text
    assert text.endswith("not sound: 1 finding\n")


async def put_back(bench: Bench, machine: Path) -> None:
    """Puts an older copy in the ledger's place, on a machine that forgets the newer one."""
    await bench.make(1)
    shutil.copy(bench.ledger, bench.ledger.with_name("backup"))
    await bench.make(2)
    shutil.copy(bench.ledger.with_name("backup"), bench.ledger)
    shutil.rmtree(machine / "matter-station" / "ledgers")
    restored = station("ledger", "restored", "--skip", "9", "--yes", "--ledger", bench.ledger)
    assert restored.exit_code == DONE, restored.output


async def test_a_restored_backup_keeps_the_line_closed_until_an_engineer_accepts_it(
    bench: Bench, machine: Path
) -> None:
    """Also on a machine that never saw the newer one, where no register knows it."""
    await put_back(bench, machine)
    with pytest.raises(LedgerRolledBack, match="this ledger ends at line") as caught:
        await bench.make(3)
    assert "station audit accept" in str(caught.value.evidence["reason"])
    assert "an older copy was put in its place" in bench.said("verify", status=FAILED)
    assert (await bench.accepted("the disk died; backup of last night")).startswith("accepted: line ")
    await bench.make(3)
    text = bench.said("verify")
    assert "accepted by a person: " in text
    assert text.endswith("sound\n")


async def test_an_old_copy_that_is_appended_again_hides_no_newer_one(bench: Bench, machine: Path) -> None:
    """Whoever may only append to the copies cannot open the line with an older ledger by it."""
    await put_back(bench, machine)
    checkpoint_file.append(bench.copy, Signed.read(bench.copy.read_text().splitlines()[0]))
    with pytest.raises(LedgerRolledBack, match="this ledger ends at line"):
        await bench.make(3)
    assert "accepted: line " in await bench.accepted("the disk died; backup of last night")
    await bench.make(3)


async def test_checkpoints_of_a_replaced_key_are_verified_by_both(bench: Bench) -> None:
    await bench.make(1)
    new = Ed25519PrivateKey.from_private_bytes(bytes(32))
    bench.key.write_bytes(new.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    await bench.make(2)
    assert "another key has signed it" in bench.said("verify", status=FAILED)
    keys = [argument for key in (KEY, new) for argument in ("--key", key.public_key().public_bytes_raw().hex())]
    assert bench.said("verify", *keys).endswith("sound\n")


async def test_what_no_checkpoint_vouches_for_is_said(bench: Bench) -> None:
    await bench.make(1)
    bench.copy.unlink()
    assert f"There is no copy of a checkpoint in {bench.copy}" in bench.said("verify")
    execute(bench.ledger, "DELETE FROM checkpoint")
    assert "There is no checkpoint: whoever may write the ledger" in bench.said("verify")


async def test_there_is_nothing_to_accept_in_the_newest_ledger(bench: Bench) -> None:
    await bench.make(1)
    assert "nothing to accept" in await bench.accepted("to be sure")
    with pytest.raises(CommandRefused, match="reason"):
        await bench.accepted("")


async def test_a_copy_by_another_key_is_passed_over_at_the_start_and_named_by_the_command(bench: Bench) -> None:
    await bench.make(1)
    signed = Signed.read(bench.copy.read_text().splitlines()[-1])
    later = replace(signed.checkpoint, number=10_000).signed(Ed25519PrivateKey.from_private_bytes(bytes(32)))
    checkpoint_file.append(bench.copy, later)
    await bench.make(2)
    assert f"{bench.copy}, line 2: another key has signed it" in bench.said("verify", status=FAILED)


async def test_a_torn_line_of_the_copy_hides_no_later_one(bench: Bench) -> None:
    await bench.make(1)
    bench.copy.write_bytes(bench.copy.read_bytes() + b'{"checkpoint":{"at"')
    await bench.make(2)
    newest = checkpoint_file.newest(bench.copy, KEY.public_key().public_bytes_raw())
    assert newest == [Signed.read(bench.copy.read_text().splitlines()[-1])]
    assert len(bench.copy.read_text().splitlines()) == 3


async def test_a_folder_of_copies_that_is_gone_stops_no_line(bench: Bench) -> None:
    """What could not be copied is copied with the next checkpoint."""
    shutil.rmtree(bench.copies)
    await bench.make(1)
    bench.copies.mkdir()
    await bench.make(2)
    assert bench.said("verify").endswith("sound\n")
    assert len(bench.copy.read_text().splitlines()) == 1


async def test_the_daemon_signs_on_demand(bench: Bench) -> None:
    async with (
        Ledger.open(bench.ledger, station="line") as ledger,
        Checkpointing.opened(ledger, bench.section, "line") as made,
    ):
        await begun(ledger, Secrets())
        answer = await made.asked({})
        assert isinstance(answer, dict)
        assert isinstance(answer["line"], int)
        assert await made.asked({}) == {"line": None}


async def test_without_a_key_nothing_is_signed(bench: Bench) -> None:
    async with (
        Ledger.open(bench.ledger, station="line") as ledger,
        Checkpointing.opened(ledger, AuditSection(), "line") as made,
    ):
        assert await made.once() is None
        with pytest.raises(CommandRefused, match="nothing to sign with"):
            await made.asked({})


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [(b"-----BEGIN", 0o600, "no private key in PEM"), (None, 0o644, "others can read"), (b"", 0o600, "no private key")],
)
async def test_a_key_that_cannot_be_used_is_told(bench: Bench, content: bytes | None, mode: int, said: str) -> None:
    if content is not None:
        bench.key.write_bytes(content)
    bench.key.chmod(mode)
    async with Ledger.open(bench.ledger, station="line") as ledger:
        with pytest.raises(ConfigurationInvalid, match=said):
            async with Checkpointing.opened(ledger, bench.section, "line"):
                raise AssertionError("it was taken")


async def test_a_pinned_key_is_a_file_or_its_digits(bench: Bench, tmp_path: Path) -> None:
    await bench.make(1)
    public, other = tmp_path / "public.pem", Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key()
    public.write_bytes(KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    for key in (public, KEY.public_key().public_bytes_raw().hex()):
        assert bench.said("verify", "--key", key).endswith("sound\n")
    assert "another key has signed it" in bench.said("verify", "--key", other.public_bytes_raw().hex(), status=FAILED)
    bench.said("verify", "--key", "abc", status=USAGE)


def test_a_ledger_without_a_chain_says_so(bench: Bench) -> None:
    bench.ledger.touch()
    with pytest.raises(LedgerUnavailable, match="no chain yet"):
        bench.said("show")


def test_what_the_configuration_names_and_is_not_there_is_told(bench: Bench) -> None:
    def told(**audit: str) -> list[str]:
        return [problem.place for problem in audit_files.mistakes(Settings(bench.config, {"audit": audit}))]

    key, copies, missing = str(bench.key), str(bench.copies), str(bench.copies / "none")
    assert told(signing_key=key, copy_to=copies) == []
    assert told(signing_key=missing) == ["audit.signing_key"]
    assert told(copy_to=copies) == ["audit.copy_to"]  # without a key
    assert told(signing_key=key, copy_to=missing) == ["audit.copy_to"]
