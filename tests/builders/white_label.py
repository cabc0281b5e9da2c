# SPDX-License-Identifier: Apache-2.0
"""Lines for products with a declaration of their own: white-label products, lists of PAAs, several products under one certificate."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import SubjectKeyIdentifier

from development_pki.attestation import Product
from development_pki.directory import open_or_make
from tests.builders.forge import tlv
from tests.builders.forge_declaration import Declaration, paas, products, u16
from tests.builders.line import RECIPE, ROOT

CD_SIGNERS = ROOT / "tests" / "vectors" / "attestation" / "cd-signers"
TEST_CD_KEY_ID = bytes.fromhex("62fa823359acfaa9963e1cfa140addf504f37160")
STANDS_FOR_OURS = b""  # in a list of PAAs


@dataclass(frozen=True, slots=True)
class Label:
    """A product: its own numbers, those of its DACs, and what its declaration says of both."""

    own: tuple[int, int]
    dac: tuple[int, int]
    origin: tuple[int, int] | None = None
    covered: tuple[int, ...] = ()
    listed: tuple[bytes, ...] | None = None

    def declaration(self, our_paa: bytes) -> bytes:
        """Signed with the public test key."""
        pem = (CD_SIGNERS / "Chip-Test-CD-Signing-Key.pem").read_bytes()
        key = serialization.load_pem_private_key(pem, password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        made = Declaration(signer=key, key_id=tlv(0x80, TEST_CD_KEY_ID))
        made = made.having(u16(1, self.own[0]), products(*(self.covered or self.own[1:])))
        if self.origin is not None:
            made = made.having(u16(9, self.origin[0]), u16(10, self.origin[1]))
        if self.listed is not None:
            made = made.having(paas(*(each or our_paa for each in self.listed)))
        return made.der


def line_folder(folder: Path, label: Label) -> tuple[Path, Path]:
    """Makes the recipe and, so that the declaration can name its PAA, the line's folder with the PKI; returns both paths."""
    line = folder / "line"
    paa, _ = open_or_make(line / "pki", Product.numbered(*label.dac))
    key_id = paa.certificate.extensions.get_extension_for_class(SubjectKeyIdentifier).value.digest
    (folder / "declaration.der").write_bytes(label.declaration(key_id))
    return write_recipe(folder, label), line


def write_recipe(folder: Path, label: Label) -> Path:
    """The demonstration's recipe for this product, with the trust store `trust` of the folder."""
    shutil.copytree(ROOT / "config" / "trust", folder / "trust", dirs_exist_ok=True)
    text = RECIPE.read_text(encoding="utf-8")
    for was, becomes in (
        ('trust = "development"', 'trust = "development"\ntrust_store = "trust"'),
        ("vendor_id = 0xFFF1\n", f"vendor_id = {label.own[0]:#06x}\n"),
        ("product_id = 0x8004\n", f"product_id = {label.own[1]:#06x}\n{_borrowed(label)}"),
        ("certification-declaration.der", "declaration.der"),
        ("../../firmware_images/manifest.toml", str(ROOT / "firmware_images" / "manifest.toml")),
    ):
        assert was in text
        text = text.replace(was, becomes, 1)
    path = folder / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    return path


def _borrowed(label: Label) -> str:
    names: Sequence[str] = ("dac_vendor_id", "dac_product_id")
    return (
        ""
        if label.dac == label.own
        else "".join(f"{name} = {number:#06x}\n" for name, number in zip(names, label.dac, strict=True))
    )
