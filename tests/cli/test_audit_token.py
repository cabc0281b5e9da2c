# SPDX-License-Identifier: Apache-2.0
"""The audit's key in a PKCS#11 token: SoftHSM, which `tools/softhsm` installs. The token signs, and holds up nothing else."""

from pathlib import Path
from threading import Event

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from structlog.testing import capture_logs

from station.adapters.ledger import Ledger, checkpoint_file
from station.adapters.ledger.key_file import KeyUnusable
from station.adapters.ledger.pkcs11_token import Session
from station.adapters.ledger.signing_token import TokenKey
from station.config.audit import AuditSection
from station.config.problems import ConfigurationInvalid
from station.daemon.checkpointing import Checkpointing
from station.daemon.control import CommandRefused
from station.doctor import audit_files
from station.doctor.settings import Settings
from station.domain.checkpoint import verified
from tests.builders.bench import Secrets, begun, passed
from tests.builders.tokens import AUDIT_KEY as KEY
from tests.builders.tokens import PIN, Tokens
from tests.cli.test_audit import Bench

PUBLIC = KEY.public_key().public_bytes_raw()


@pytest.fixture
def uri(tokens: Tokens) -> str:
    return tokens.uri("audit", key="audit-key")


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "machine"))
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    return Bench(tmp_path)


async def test_a_token_signs_as_the_same_key_in_a_file_would(bench: Bench, uri: str) -> None:
    bench.section = AuditSection(signing_token=uri, copy_to=bench.copies)
    await bench.make(1, 2)
    (line,) = [text for _, text in checkpoint_file.lines(bench.copy)]
    assert verified(line, PUBLIC).public_key == PUBLIC
    assert "by the key " + PUBLIC.hex() in bench.said("show")
    bench.config.write_text(
        bench.config.read_text().replace(f'signing_key = "{bench.key}"', f'signing_token = "{uri}"')
    )
    assert bench.said("verify").splitlines()[-1] == "sound"
    settings = Settings(bench.config, {"audit": {"signing_token": uri, "copy_to": str(bench.copies)}})
    assert list(audit_files.mistakes(settings)) == []


async def test_a_token_that_goes_away_stops_nothing(bench: Bench, tokens: Tokens, tmp_path: Path) -> None:
    """The checkpoint comes with the next turn; `station audit checkpoint` says what is wrong; no PIN is in any of it."""
    pin = tmp_path / "pin"
    pin.touch(0o600)
    pin.write_text(PIN)
    bench.section = AuditSection(signing_token=tokens.uri("audit", key="audit-key", pin=pin), copy_to=bench.copies)
    async with (
        Ledger.open(bench.ledger, station="line") as ledger,
        Checkpointing.opened(ledger, bench.section, "line") as made,
    ):
        await passed(await begun(ledger, Secrets((1,))), board=1)
        pin.unlink()
        with capture_logs() as logged:
            assert await made.once() is None
            with pytest.raises(CommandRefused, match=r"the file of its PIN, .*, cannot be read") as told:
                await made.asked({})
        assert [each["event"] for each in logged] == ["audit.failed", "audit.failed"]
        assert PIN not in f"{logged}{told.value}"
        pin.touch(0o600)
        pin.write_text(PIN)
        signed = await made.once()
        assert signed is not None
        assert signed.public_key == PUBLIC


def test_a_token_that_gives_no_answer_is_not_waited_for(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is it asked again as long as the first question is not answered."""
    key, over = TokenKey(uri, within=0.05), Event()

    class Hung:
        def __init__(self, _: object) -> None:
            over.wait()

    with monkeypatch.context() as patch:
        patch.setattr("station.adapters.ledger.signing_token.Session", Hung)
        with pytest.raises(KeyUnusable, match="no answer within"):
            key.sign(b"statement")
        with pytest.raises(KeyUnusable, match="still not answered"):
            key.sign(b"statement")
        over.set()


def test_a_token_with_another_key_than_at_the_start_is_refused(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    key = TokenKey(uri)
    assert key.sign(b"statement") == KEY.sign(b"statement")
    monkeypatch.setattr(Session, "sign", lambda _, data: Ed25519PrivateKey.generate().sign(data), raising=True)
    with pytest.raises(KeyUnusable, match="another key than at the start"):
        key.sign(b"statement")


@pytest.mark.parametrize(
    ("token", "key", "told"),
    [
        ("audit", "station-key", "its key is no Ed25519 key"),
        ("audit", "nothing", "it has no such Ed25519 key"),
        ("nowhere", "audit-key", "there is no such token"),
    ],
)
def test_what_does_not_sign_is_told(tokens: Tokens, token: str, key: str, told: str) -> None:
    with pytest.raises(KeyUnusable, match=told):
        TokenKey(tokens.uri(token, key=key))


async def test_a_line_does_not_start_with_a_key_that_it_cannot_use(bench: Bench, tokens: Tokens) -> None:
    bench.section = AuditSection(signing_token=tokens.uri("nowhere", key="audit-key"))
    with pytest.raises(ConfigurationInvalid, match="there is no such token"):
        await bench.make(1)
    settings = Settings(bench.config, {"audit": {"signing_token": f"pkcs11:token=line-1;pin-value={PIN} ?"}})
    (problem,) = audit_files.mistakes(settings)
    assert "pin-source" in str(problem)
    assert PIN not in str(problem)


def test_one_key_signs(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="name one"):
        AuditSection(signing_key=tmp_path / "audit.pem", signing_token="pkcs11:token=a;object=b")
