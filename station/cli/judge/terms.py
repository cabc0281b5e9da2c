# SPDX-License-Identifier: Apache-2.0
"""The options that `station attestation check` and `station board inspect` have in common, as one value."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Concatenate, ParamSpec

from station.cli.judge.inputs import (
    AtOption,
    CDSignersOption,
    CertificateIdOption,
    DeviceTypeOption,
    JSONOption,
    PAADirOption,
    ProductionOption,
    ProductOption,
    RevocationOption,
    VendorOption,
    VersionNumberOption,
    read_trust,
)
from station.matter.certificates.attestation import Product
from station.matter.certificates.trust import TrustStore

P = ParamSpec("P")


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The trusted certificates, the product, the moment and the strictness that a unit is judged by."""

    paa_dir: PAADirOption
    cd_signers: CDSignersOption
    vid: VendorOption = None
    pid: ProductOption = None
    device_type: DeviceTypeOption = None
    certificate_id: CertificateIdOption = None
    version_number: VersionNumberOption = None
    revocation_set: RevocationOption = None
    at: AtOption = None
    production: ProductionOption = True
    json_wanted: JSONOption = False

    def read_trust(self) -> TrustStore:
        return read_trust(self.paa_dir, self.cd_signers, self.revocation_set)

    @property
    def moment(self) -> datetime:
        return self.at or datetime.now(UTC)

    def product(self, vendor_id: int, product_id: int) -> Product:
        """The product with these identifiers, as the declaration must name it."""
        return Product(vendor_id, product_id, self.device_type, self.certificate_id, self.version_number)


def with_terms(command: Callable[Concatenate[Terms, P], None]) -> Callable[P, None]:
    """The command with each field of `Terms` as an option in the place of its first parameter.

    Typer reads options from a signature, so the returned command has one that is put together: what is required, the
    command's own, and what both commands may be given.
    """
    shared, own = signature(Terms).parameters, list(signature(command).parameters.values())[1:]

    @wraps(command)
    def judging(*args: P.args, **options: P.kwargs) -> None:
        terms = signature(Terms).bind(**{name: options.pop(name) for name in shared})
        command(Terms(*terms.args, **terms.kwargs), *args, **options)

    required = [each for each in shared.values() if each.default is Parameter.empty]
    optional = [each for each in shared.values() if each.default is not Parameter.empty]
    parameters = [each.replace(kind=Parameter.KEYWORD_ONLY) for each in (*required, *own, *optional)]
    judging.__signature__ = Signature(parameters)  # type: ignore[attr-defined]  # inspect reads it
    return judging
