# SPDX-License-Identifier: Apache-2.0
"""The certificates of a bundle: each is what its row says, and a commissioner would have accepted it when it was issued. Pure."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from station.domain.credentials import key_name, serial_number_text
from station.evidence import rows
from station.evidence.form import NotABundle
from station.evidence.rows import Row
from station.matter.certificates.chain import (
    DAC,
    PAA,
    PAI,
    Chain,
    check_chain,
    check_issued,
    from_its_beginning,
    read_certificate,
)
from station.matter.certificates.names import Identifiers
from station.matter.certificates.pem import PEMInvalid, der_of
from station.matter.certificates.rules import RuleBroken
from station.matter.certificates.x509 import Certificate


@dataclass(frozen=True, slots=True)
class Held:
    """A unit's certificate, as far as the other members are compared with it."""

    key: str
    dac: str
    sha256: str


@dataclass(slots=True)
class Certificates:
    """The certificates that have been read."""

    intermediates: Mapping[str, Certificate]
    """By the SHA-256 of the certificate."""
    roots: Mapping[bytes, Certificate]
    """By the key's identifier."""
    made: frozenset[Identifiers]
    """The vendor and product numbers of the lot's recipes; empty if they are not known."""
    by_uid: dict[str, list[Held]] = field(default_factory=dict)
    unrooted: set[str] = field(default_factory=set)
    """Intermediates whose PAA is not at hand."""
    count: int = 0
    _keys: set[str] = field(default_factory=set)
    _serials: set[str] = field(default_factory=set)
    _named: Identifiers | None = None

    def read(self, row: Row) -> Iterator[str]:
        """Takes one row. Yields a sentence for each mistake; raises `NotABundle`."""
        self.count += 1
        uid, key, serial = rows.name(row, "uid"), rows.name(row, "key"), rows.name(row, "dac_serial_number")
        content = der(rows.text(row, "dac"))
        who = f"DAC {serial} of {uid}"
        self.by_uid.setdefault(uid, []).append(Held(key, serial, sha256(content)))
        for name, value, seen in (("key", key, self._keys), ("serial number", serial, self._serials)):
            if value in seen:
                yield f"{who}: its {name} is another DAC's, too"
            seen.add(value)
        try:
            yield from (f"{who}: {mistake}" for mistake in self._judged(content, row))
        except RuleBroken as broken:
            yield f"{who}: {broken.rule.name} {broken.reason}"

    def _judged(self, content: bytes, row: Row) -> Iterator[str]:
        dac, at = read_certificate(DAC, content), moment(row, "issued_at")
        if serial_number_text(dac.serial_number) != row["dac_serial_number"]:
            yield f"the certificate's own serial number is {serial_number_text(dac.serial_number)}"
        if key_name(dac.public_key) != row["key"]:
            yield f"the certificate's own key is {key_name(dac.public_key)}, and {row['key']} was certified"
        if self.made and dac.identifiers not in self.made:
            yield f"it is for {dac.identifiers}, which no recipe of the lot makes"
        if self._named not in {None, dac.identifiers} and not self.made:
            yield f"it is for {dac.identifiers}, and another DAC of the lot for {self._named}"
        self._named = dac.identifiers
        pai = self.intermediates.get(rows.text(row, "pai"))
        if pai is None:
            yield f"its PAI {row['pai']} is not in the bundle"
            return
        root = self.roots.get(pai.extensions.authority_key_id or b"")
        at = from_its_beginning(content, at)
        if root is None:
            self.unrooted.add(rows.text(row, "pai"))
            check_issued(dac, pai, at)
        else:
            check_chain(Chain(dac, pai, root), at)


def sha256(content: bytes) -> str:
    """In hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def der(content: str) -> bytes:
    """The certificate in PEM; raises `NotABundle`."""
    try:
        return der_of(content.encode(errors="backslashreplace"), "CERTIFICATE")
    except PEMInvalid as exc:
        raise NotABundle(f"a certificate cannot be read: {exc.reason}") from exc


def intermediate(content: bytes) -> Certificate:
    """A PAI in DER; raises `RuleBroken`."""
    return read_certificate(PAI, content)


def root(content: bytes) -> tuple[bytes, Certificate]:
    """A PAA in DER, with the identifier of its key; raises `RuleBroken`."""
    found = read_certificate(PAA, content)
    return found.extensions.subject_key_id, found


def moment(row: Row, key: str) -> datetime:
    """Raises `NotABundle` for anything but a moment with its offset."""
    try:
        found = datetime.fromisoformat(rows.text(row, key))
    except ValueError:
        raise NotABundle(f"{key} is no moment: {ascii(row[key])[:60]}") from None
    if found.tzinfo is None:
        raise NotABundle(f"{key} has no offset: {ascii(row[key])[:60]}")
    return found
