# SPDX-License-Identifier: Apache-2.0
"""An attestation to make mistakes in: its certificates and its declaration are signed again after the mistakes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.builders import forge
from tests.builders.forge import Forged, tlv
from tests.builders.forge_declaration import Declaration
from tests.fuzz.mutations import mutated

SIGNERS = Path(__file__).parents[1] / "vectors" / "attestation" / "cd-signers"
_KEY = load_pem_private_key((SIGNERS / "Chip-Test-CD-Signing-Key.pem").read_bytes(), None)
assert isinstance(_KEY, ec.EllipticCurvePrivateKey)
DECLARATION = Declaration(signer=_KEY, key_id=tlv(0x80, bytes.fromhex("62fa823359acfaa9963e1cfa140addf504f37160")))
CERTIFICATES = ("dac", "pai", "paa")
OTHERS = (forge.PAA.signed, forge.PAI.signed, forge.DAC.signed, DECLARATION.signed)


@dataclass(frozen=True)
class Mutant:
    """A chain and a declaration, and vendor and product that the unit says it has."""

    dac: Forged = forge.DAC
    pai: Forged = forge.PAI
    paa: Forged = forge.PAA
    declaration: Declaration = DECLARATION
    vendor_id: int = 0xFFF1
    product_id: int = 0x8004
    bent: tuple[str, int] | None = None  # a part whose signed bytes are changed below the level of fields, and the seed
    changes: tuple[str, ...] = ()

    @property
    def certificates(self) -> Mapping[str, Forged]:
        return dict(zip(CERTIFICATES, (self.dac, self.pai, self.paa), strict=True))

    def having(self, part: str, changed: Forged) -> "Mutant":
        """Replaces one certificate."""
        dac, pai, paa = (changed if part == each else now for each, now in self.certificates.items())
        return replace(self, dac=dac, pai=pai, paa=paa)

    def bytes_of(self, part: str) -> bytes:
        """The DER of a certificate, or of the declaration."""
        built = self.declaration if part == "declaration" else self.certificates[part]
        if self.bent is None or self.bent[0] != part:
            return built.der
        return built.around(mutated(Random(self.bent[1]), built.signed, OTHERS))


def any_certificate(rng: Random) -> str:
    return rng.choice(("dac", "dac", "pai", "pai", "paa"))
