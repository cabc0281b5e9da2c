# SPDX-License-Identifier: Apache-2.0
"""The members of a bundle, from the ledger and from what lies beside it: recipes, PAA, the key that signs, the station's parts."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Self

import typer

from station.adapters.ledger import checkpoint_file
from station.adapters.ledger.evidence_reader import LotEvidence
from station.adapters.ledger.key_file import KeyUnusable
from station.adapters.ledger.tables import iso
from station.adapters.system import sbom, version
from station.cli.judge.inputs import CERTIFICATE, read_der, read_file
from station.cli.ledger.output import opened
from station.config import toml_file
from station.config.audit import AuditSection
from station.config.line import Config
from station.daemon import control
from station.domain.checkpoint import SigningKey
from station.evidence.form import (
    ATTEMPTS,
    AUDIT,
    BUNDLE,
    CERTIFICATES,
    EXCEPTIONS,
    FORMAT,
    JOURNAL,
    LABELS,
    REQUESTS,
    SBOM,
    UNITS,
    pem,
)
from station.evidence.writing import BundleWriter, Sign

Row = Mapping[str, object]
LONGEST = 2000  # characters of a value on the terminal
DEEPEST = 6  # names below names; whatever lies deeper stands in one line


@dataclass(frozen=True, slots=True)
class Signer:
    """The key that signs: its public half, and what it does."""

    public_key: bytes
    sign: Sign


@dataclass(frozen=True, slots=True)
class Beside:
    """What the ledger has by its hash alone. `recipes` have the content of their files by its SHA-256."""

    recipes: Mapping[str, bytes]
    names: Mapping[str, tuple[int, int]]
    """The vendor and product of a recipe's DACs."""
    paas: Sequence[bytes]

    @classmethod
    def found(cls, recipes: Sequence[Path], paas: Sequence[tuple[Path, bytes]], line: Config | None) -> Self:
        """The given files and those of the line's configuration. Raises `ConfigurationInvalid`."""
        files = [*recipes, *([] if line is None else [line.recipe])]
        roots = [content for _, content in paas]
        if line is not None and line.pki is not None and line.pki.paa is not None:
            roots.append(read_der(line.pki.paa, CERTIFICATE))
        contents, names = dict[str, bytes](), dict[str, tuple[int, int]]()
        for file in files:
            content = read_file(file)
            sha256 = hashlib.sha256(content).hexdigest()
            contents[sha256] = content
            if (numbers := _dac_names(toml_file.read_toml(file))) is not None:
                names[sha256] = numbers
        return cls(contents, names, list(dict.fromkeys(roots)))


def signer(file: Path | None, line: Config | None) -> Signer:
    """The key in this file, else the configuration's. Ends with exit code 2 without one."""
    own = AuditSection(signing_key=file) if file is not None or line is None else line.audit
    try:
        key = checkpoint_file.signing_key(own.signing_key, own.signing_token)
    except KeyUnusable as exc:
        raise typer.BadParameter(f"a bundle is signed: {exc}") from exc
    if key is None:
        raise typer.BadParameter(
            "a bundle is signed: name the station's Ed25519 key with --signing-key, or as [audit] signing_key"
        )
    return Signer(key.public_key().public_bytes_raw(), partial(_signed, key))


def _signed(key: SigningKey, data: bytes) -> bytes:
    try:
        return key.sign(data)
    except KeyUnusable as exc:  # a token that has gone away since
        raise control.CommandRefused(f"a bundle is signed: {exc}") from exc


def fill(bundle: BundleWriter, found: LotEvidence, beside: Beside, by: Signer) -> int:
    """Writes all members, in their order. Returns how many units the lot has."""
    made_at = iso(datetime.now(UTC))
    running = version.running()
    made = {"made_at": made_at, "made_by": {"version": running.number, "commit": running.commit}, "format": FORMAT}
    head = found.head()
    recipes = head["recipes"]
    assert isinstance(recipes, list)
    bundle.json(BUNDLE, {**head, **made, "recipes": [_recipe(each, beside) for each in recipes]})
    for sha256 in dict.fromkeys(each["sha256"] for each in recipes):
        if sha256 in beside.recipes:
            bundle.member(f"recipes/{sha256}.toml", [beside.recipes[sha256]])
    for folder, contents in (("pai", found.intermediates()), ("paa", iter(beside.paas))):
        for each in contents:
            bundle.member(f"{folder}/{hashlib.sha256(each).hexdigest()}.pem", [pem(each).encode()])
    units = bundle.lines(UNITS, found.units())
    bundle.lines(CERTIFICATES, _certificates(found))
    bundle.lines(REQUESTS, found.requests())
    bundle.lines(ATTEMPTS, found.attempts())
    bundle.lines(JOURNAL, found.journal())
    bundle.lines(LABELS, found.labels())
    bundle.lines(EXCEPTIONS, found.exceptions())
    bundle.json(AUDIT, found.audit())
    bundle.json(SBOM, sbom.document())
    bundle.close(found.record.name, made_at, by.public_key, by.sign)
    return units


def write_sbom(document: Row, output: Path | None) -> None:
    """The bill of materials, for people and for tools."""
    with opened(output) as file:
        file.write(json.dumps(document, indent=2) + "\n")


def outline(name: str, value: object, depth: int = 0) -> Iterator[str]:
    """A value of a bundle for people: a line for each single value, indented below the names of what it belongs to."""
    margin = "  " * depth
    if isinstance(value, Mapping) and value and depth < DEEPEST:
        yield f"{margin}{name}:"
        for each, inner in value.items():
            yield from outline(str(each), inner, depth + 1)
    elif isinstance(value, list) and depth < DEEPEST and any(isinstance(each, Mapping) for each in value):
        for number, each in enumerate(value, start=1):
            yield from outline(f"{name} {number}", each, depth)
    else:
        items = value if isinstance(value, list) else [value] if value not in ({}, None) else []
        text = ", ".join(each if isinstance(each, str) else json.dumps(each) for each in items)
        yield f"{margin}{name}: {text[:LONGEST] + '…' if len(text) > LONGEST else text or 'none'}"


def _recipe(recipe: Row, beside: Beside) -> Row:
    names = beside.names.get(str(recipe["sha256"]))
    return recipe if names is None else {**recipe, "dac_vendor_id": names[0], "dac_product_id": names[1]}


def _certificates(found: LotEvidence) -> Iterator[Row]:
    for row, dac, pai in found.certificates():
        yield {**row, "dac": pem(dac), "pai": hashlib.sha256(pai).hexdigest()}


def _dac_names(recipe: Row) -> tuple[int, int] | None:
    product = recipe.get("product")
    if not isinstance(product, dict):
        return None
    vendor = product.get("dac_vendor_id", product.get("vendor_id"))
    number = product.get("dac_product_id", product.get("product_id"))
    return (vendor, number) if isinstance(vendor, int) and isinstance(number, int) else None
