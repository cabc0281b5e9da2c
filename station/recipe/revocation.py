# SPDX-License-Identifier: Apache-2.0
"""The line's PAI and a new DAC against the revocations of the recipe's trust store, as they are now. Pure."""

from collections.abc import Container

from station.factory_data.flat_tlv import FactoryData, Tag
from station.faults.line import CredentialsInvalid, PAIRevoked
from station.matter.certificates.chain import DAC
from station.matter.certificates.revocation import Revoked, check_unrevoked
from station.matter.certificates.rules import RuleBroken
from station.matter.certificates.x509 import Certificate
from station.recipe.laboratory import Laboratory
from station.recipe.recipe import OwnPKI, Recipe


def check_pai(recipe: Recipe | Laboratory) -> None:
    """Raises `PAIRevoked` if the PAI of all further units is revoked. A partner's PAI is known from its boards only."""
    match recipe:
        case Laboratory(data=data):
            check_pai_of(data, recipe.revoked)
        case Recipe(certification=OwnPKI(anchors)):
            _check(anchors.pai, recipe.revoked)
        case _:
            pass


def check_pai_of(data: FactoryData, revoked: Container[Revoked]) -> None:
    """Raises `PAIRevoked` if the PAI in this factory data is revoked."""
    if (pai := data.octets(Tag.PAI_CERTIFICATE)) is not None:
        _check(pai, revoked)


def check_dac(dac: bytes, revoked: Container[Revoked]) -> None:
    """Raises `CredentialsInvalid` for a revoked DAC, which is well formed."""
    try:
        check_unrevoked(DAC.kind, Certificate.read(dac), revoked)
    except RuleBroken as broken:
        raise CredentialsInvalid(broken.rule.name, broken.reason) from broken


def _check(pai: bytes, revoked: Container[Revoked]) -> None:
    try:
        certificate = Certificate.read(pai)
    except RuleBroken:  # the examination of the unit says it
        return
    if Revoked.would_be(certificate) in revoked:
        raise PAIRevoked(f"{certificate.serial_number:X}")
