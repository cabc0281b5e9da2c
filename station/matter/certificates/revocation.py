# SPDX-License-Identifier: Apache-2.0
"""Revocation sets, as the CHIP SDK's tools write them from the DCL (Matter Core Specification 6.2.4). Pure."""

import base64
import binascii
import json
import re
from collections.abc import Container
from dataclasses import dataclass, field

from station.faults.line import TrustUnreadable
from station.matter.certificates.extensions import KEY_ID_SIZE
from station.matter.certificates.rules import Rule, RuleBroken
from station.matter.certificates.x509 import Certificate


@dataclass(frozen=True, slots=True)
class Revoked:
    """A certificate, by its issuer's name and key and by its serial number.

    The key alone tells issuers apart: a certificate authority may write its name in strings of another type.
    """

    issuer: bytes = field(compare=False)
    issuer_key_id: bytes | None
    serial_number: int

    @classmethod
    def would_be(cls, certificate: Certificate) -> "Revoked":
        """The entry for this certificate, if it were revoked."""
        return cls(certificate.issuer.raw, certificate.extensions.authority_key_id, certificate.serial_number)


def check_unrevoked(kind: str, certificate: Certificate, revoked: Container[Revoked]) -> None:
    """Raises `RuleBroken` for a DAC or a PAI that is revoked."""
    if Revoked.would_be(certificate) in revoked:
        raise RuleBroken(Rule.K7, f"{kind}: {certificate.serial_number:X} is revoked")


def read_revocation_set(content: bytes) -> frozenset[Revoked]:
    """Reads a set in JSON.

    Raises `TrustUnreadable` for any mistake, since a half-read set would let revoked certificates pass.
    """
    try:
        entries: object = json.loads(content)
    except (ValueError, RecursionError) as exc:
        raise TrustUnreadable("the revocation set is not JSON") from exc
    if not isinstance(entries, list):
        raise TrustUnreadable("the revocation set is no array")
    return frozenset(revoked for number, entry in enumerate(entries, 1) for revoked in _entry(entry, number))


def _entry(entry: object, number: int) -> list[Revoked]:
    match entry:
        case {
            "type": "revocation_set",
            "issuer_subject_key_id": str(key_id),
            "issuer_name": str(name),
            "revoked_serial_numbers": list(serial_numbers),
        }:
            try:
                issuer, issuer_key_id = base64.b64decode(name, validate=True), _key_id(key_id)
                return [Revoked(issuer, issuer_key_id, _serial_number(serial)) for serial in serial_numbers]
            except (ValueError, binascii.Error) as exc:
                raise TrustUnreadable(f"entry {number} of the revocation set has a field that cannot be read") from exc
        case _:
            raise TrustUnreadable(f"entry {number} of the revocation set lacks a field")


def _key_id(text: str) -> bytes:
    """One of another length would be no certificate's, and its entry without effect."""
    key_id = bytes.fromhex(text)
    if len(key_id) != KEY_ID_SIZE:
        raise ValueError(text)
    return key_id


def _serial_number(serial: object) -> int:
    """A number would be read as if its digits were hexadecimal: another certificate's."""
    if not isinstance(serial, str) or not re.fullmatch("[0-9A-Fa-f]+", serial):
        raise ValueError(serial)
    return int(serial, 16)
