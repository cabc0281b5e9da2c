# SPDX-License-Identifier: Apache-2.0
"""The station's key is in its file only as a PKCS#11 token opens it: SoftHSM, which `tools/softhsm` installs."""

from pathlib import Path
from typing import Literal

import pytest

from station.adapters.ledger import Ledger, rotation
from station.adapters.ledger.pkcs11_token import Token
from station.adapters.ledger.register import Register, default_folder
from station.adapters.ledger.station_keys import StationKeys
from station.faults.line import LedgerUnavailable
from tests.builders.tokens import PIN, Tokens
from tests.ledger.test_rotation import all_open, made
from tests.ledger.test_secrets_at_rest import key_files


def rotate(path: Path, token: str | None = None, key: Path | None = None) -> str:
    """Rotates to this token's URI; to a key in clear for `none`."""
    keys = StationKeys.of(default_folder(), path, key)
    sealed_by: str | Literal[False] | None = False if token == "none" else token
    return rotation.rotate(path, Register(default_folder()), keys, who="anna", reason="", token=sealed_by)


@pytest.mark.parametrize("name", [None, "station.key"])
async def test_a_key_is_sealed_by_a_token_until_it_is_not(
    path: Path, tmp_path: Path, tokens: Tokens, name: str | None
) -> None:
    """Later keys are sealed as the one before, and no file has a key that opens without the token."""
    key = tmp_path / name if name else None
    await made(path, key)
    uri = tokens.uri("station")
    keys = StationKeys.of(default_folder(), path, key)
    for named in (uri, None):
        new = rotate(path, named, key)
        (file,) = [key] if key else key_files()
        (line,) = [line for line in file.read_text().splitlines() if not line.startswith("#")]
        assert line.startswith(f"matter-station-key 2 {new} {uri} ")
        assert (rotation.status(path, keys).token, keys.token_of(new)) == (uri, uri)
        assert keys.find(new).id == new
        await all_open(path, key)
    new = rotate(path, "none", key)
    assert rotation.status(path, keys).token is None
    assert StationKeys.of(default_folder(), path, key).find(new).id == new
    await all_open(path, key)


async def test_a_ledger_does_not_open_without_its_token(path: Path, tokens: Tokens) -> None:
    """A key's file that was copied to a machine without the token is worth nothing."""
    await made(path)
    new = rotate(path, tokens.uri("station"))
    (file,) = key_files()
    for other in ("guessed", "nowhere"):
        file.write_text(file.read_text().replace("token=station;", f"token={other};"))
        with pytest.raises(LedgerUnavailable, match=f"token={other}"):
            await all_open(path)
        file.write_text(file.read_text().replace(f"token={other};", "token=station;"))
    await all_open(path)
    assert rotation.status(path, StationKeys.of(default_folder(), path)).key_id == new  # asked for without a login


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("pkcs12:token=station", "no PKCS#11 URI"),
        ("pkcs11:object=k?module-path=/m&pin-source=file:/p", "must name the token"),
        ("pkcs11:token=station?module-path=/m&pin-source=file:/p", "and its key"),
        ("pkcs11:token=station;object=k?pin-source=file:/p", "module-path"),
        ("pkcs11:token=station;object=k;slot-id=3?module-path=/m&pin-source=file:/p", "slot-id is not supported"),
        ("pkcs11:token=station;object=?module-path=/m", "has no value"),
    ],
)
async def test_what_a_uri_lacks_is_told(path: Path, uri: str, told: str) -> None:
    await made(path)
    before = [file.read_bytes() for file in key_files()]
    with pytest.raises(LedgerUnavailable, match=told):
        rotate(path, uri)
    assert [file.read_bytes() for file in key_files()] == before
    await all_open(path)


def test_a_uri_has_no_pin_in_it() -> None:
    with pytest.raises(LedgerUnavailable, match="pin-source") as told:
        Token.of(f"pkcs11:token=station;object=k?module-path=/m&pin-value={PIN}")
    assert PIN not in str(told.value)


def test_a_uri_is_read_as_rfc_7512_writes_it() -> None:
    token = Token.of("pkcs11:serial=12%3b3;id=%A1%00?module-path=/opt/a%20b.so&pin-source=file:/etc/pin%3A1")
    assert (token.label, token.serial, token.object, token.id) == (None, "12;3", None, b"\xa1\x00")
    assert (token.module, token.pin) == (Path("/opt/a b.so"), Path("/etc/pin:1"))


async def test_what_a_token_lacks_is_told_and_nothing_is_changed(path: Path, tmp_path: Path, tokens: Tokens) -> None:
    await made(path)
    before = [file.read_bytes() for file in key_files()]
    shared, empty = tmp_path / "shared", tmp_path / "empty"
    shared.write_text(PIN)
    empty.touch(0o600)
    for uri, told in (
        (tokens.uri("nowhere"), "no such token"),
        (tokens.uri("twice"), "several such tokens"),
        (tokens.uri("keyless"), "no such RSA key"),
        (tokens.uri("station", tmp_path / "nothing"), "cannot be read"),
        (tokens.uri("station", shared), "chmod 600"),
        (tokens.uri("station", empty), "is empty"),
        (tokens.uri("station").replace(str(tokens.module), str(empty)), "sealed by pkcs11"),
    ):
        with pytest.raises(LedgerUnavailable, match=told):
            rotate(path, uri)
    assert [file.read_bytes() for file in key_files()] == before
    await all_open(path)


async def test_a_wrong_pin_is_tried_once(path: Path, tmp_path: Path, tokens: Tokens) -> None:
    """A token locks itself at the third; a daemon that is started again and again must not get there."""
    await made(path)
    wrong = tmp_path / "wrong"
    wrong.write_text("99999999")
    wrong.chmod(0o600)
    for told in ("is wrong", "a wrong PIN was tried", "a wrong PIN was tried"):
        with pytest.raises(LedgerUnavailable, match=told) as caught:
            rotate(path, tokens.uri("guessed", wrong))
        assert "99999999" not in str(caught.value)
    async with Ledger.open(path, station="line-1"):
        pass  # with the key that it had
