# SPDX-License-Identifier: Apache-2.0
"""A closed lot in which all kinds of things have happened, with certificates as Matter wants them, and bundles that somebody has changed."""

import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from station.adapters.ledger import Ledger
from station.domain.attempt import (
    Confirmed,
    CredentialsChosen,
    CredentialsDelivered,
    CSRReceived,
    FactoryDataWritten,
    Failed,
    Passed,
    Phase,
    Voided,
)
from station.domain.credentials import Credentials
from station.domain.intervention import Decision
from station.domain.work_order import LotClosed, LotOpened
from station.evidence.form import CONTEXT, MANIFEST, SIGNATURE, Manifest, Member, Signature
from station.interfaces import RefusedAnswer, SecretSource
from tests.builders.bench import RECIPE, Secrets, begun, recognised, target
from tests.builders.forge import DAC, PAI, public_key, tlv

ANNA = Decision("anna", "order of the week")
LOT = "W1"


def dac_of(board: int, key: ec.EllipticCurvePrivateKey | None = None) -> Credentials:
    """The certificate of a board, of its own key and serial number, under the forge's PAI."""
    key = key or ec.derive_private_key(1000 + board, ec.SECP256R1())
    serial = tlv(0x02, b"\x22" + board.to_bytes(4, "big"))
    return Credentials(replace(DAC, key=public_key(key), serial_number=serial).der, PAI.der)


async def provisioned(ledger: Ledger, secrets: SecretSource, board: int, ends: Passed | Failed | Voided) -> None:
    """An attempt that goes as far as its verdict allows: up to its certificate, or whole."""
    journal = await begun(ledger, secrets)
    await recognised(journal, board)
    async with journal.step(Phase.FLASH_DATA):
        await journal.record(FactoryDataWritten())
    async with journal.step(Phase.FLASH_PROVISIONER):
        pass
    issued = dac_of(board)
    async with journal.step(Phase.AWAIT_CSR):
        await journal.record(CSRReceived(issued.key))
    async with journal.step(Phase.RELAY_TO_PKI):
        await ledger.issuance.submitted(issued.key, b"CSR", target(board).uid)
        await ledger.issuance.record_issued(issued.key, issued)
        await journal.record(CredentialsChosen(issued.key, issued.dac_serial_number))
    if isinstance(ends, Passed):
        async with journal.step(Phase.DELIVER):
            await journal.record(CredentialsDelivered(issued.dac_serial_number))
        async with journal.step(Phase.FLASH_OPERATIONAL):
            pass
        async with journal.step(Phase.CONFIRM):
            await journal.record(Confirmed())
    await journal.finish(ends)


async def worked(ledger: Ledger, secrets: Secrets) -> None:
    """Works on the lot W1 and beside it: six passes, a fail that is scrapped, a void, an orphaned and a lost certificate."""
    await provisioned(ledger, secrets, 1, Passed())  # in the recipe's own lot
    order = LotOpened(LOT, "WO-1", RECIPE.name, RECIPE.sha256, 20, "W{:04d}", 1, 30)
    await ledger.open_lot(order, ANNA)
    for board in range(10, 16):
        await provisioned(ledger, secrets, board, Passed())
    await provisioned(ledger, secrets, 20, Failed("board.possession_unproven"))
    await ledger.scrap(target(20).uid, ANNA)
    await provisioned(ledger, secrets, 21, Voided("probe.lost"))
    surplus = dac_of(22)
    journal = await begun(ledger, secrets)
    await recognised(journal, 22)
    await ledger.issuance.submitted(surplus.key, b"CSR", target(22).uid)
    await ledger.issuance.record_refused(
        surplus.key, RefusedAnswer("not for this product", surplus.dac, (surplus.dac,))
    )
    await journal.finish(Failed("pki.credentials_invalid"))
    lost = await begun(ledger, secrets)
    await recognised(lost, 23)
    await ledger.issuance.submitted("lost", b"CSR", target(23).uid)
    await lost.finish(Voided("pki.unreachable"))
    await again(ledger, secrets, 10)
    await ledger.change_lot(LotClosed(LOT), Decision("bert", "all done"))


async def again(ledger: Ledger, secrets: Secrets, board: int) -> None:
    """A unit that has passed is confirmed once more."""
    journal = await begun(ledger, secrets)
    await recognised(journal, board)
    async with journal.step(Phase.CONFIRM):
        await journal.record(Confirmed())
    await journal.finish(Passed())


def key_file(folder: Path, name: str = "signing.pem") -> tuple[Path, Ed25519PrivateKey]:
    """A new key that signs bundles, in a file."""
    key = Ed25519PrivateKey.generate()
    file = folder / name
    file.touch(0o600)
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return file, key


def members(bundle: Path) -> dict[str, bytes]:
    """The content of each member."""
    with zipfile.ZipFile(bundle) as archive:
        return {each: archive.read(each) for each in archive.namelist()}


def packed(bundle: Path, contents: Mapping[str, bytes]) -> Path:
    """A file with these members."""
    with zipfile.ZipFile(bundle, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return bundle


def resigned(bundle: Path, contents: Mapping[str, bytes], key: Ed25519PrivateKey) -> Path:
    """A file with these members, their hashes in the manifest, and the manifest signed by this key: what a liar with a key can do."""
    old = Manifest.read(contents[MANIFEST])
    inside = {name: content for name, content in contents.items() if name not in {MANIFEST, SIGNATURE}}
    listed = [Member(name, len(content), sha256(content).hexdigest()) for name, content in inside.items()]
    manifest = Manifest(old.lot, old.made_at, listed).content()
    signature = Signature(key.public_key().public_bytes_raw(), key.sign(CONTEXT + manifest)).content()
    return packed(bundle, {**inside, MANIFEST: manifest, SIGNATURE: signature})


def edited(content: bytes, change: Callable[[dict[str, object]], dict[str, object] | None]) -> bytes:
    """A member of JSON lines, each as the change leaves it; None removes it."""
    rows = [change(json.loads(line)) for line in content.splitlines()]
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows if row is not None)
