# SPDX-License-Identifier: Apache-2.0
"""The trust store: the roots, the signers of declarations and the revocations that a station trusts. Pure.

A file without a usable certificate is left out of the store and named; the other files stay.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace

from station.matter.certificates.chain import PAA, Profile, read_certificate
from station.matter.certificates.pem import CERTIFICATE, PEMInvalid, der_of
from station.matter.certificates.revocation import Revoked
from station.matter.certificates.rules import RuleBroken
from station.matter.certificates.x509 import Certificate

TEST_CD_KEY_ID = bytes.fromhex("62FA823359ACFAA9963E1CFA140ADDF504F37160")


@dataclass(frozen=True, slots=True)
class TrustStore:
    """PAAs and signers of declarations by subject key identifier; `unreadable` names the files that were left out, and why.

    The revocations may change while a line runs; two stores that differ in nothing else are equal.
    """

    paas: Mapping[bytes, Certificate]
    cd_signers: Mapping[bytes, Certificate]
    revoked: Container[Revoked] = field(default=frozenset(), compare=False)
    unreadable: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, paas: Mapping[str, bytes], cd_signers: Mapping[str, bytes], revoked: Container[Revoked] = frozenset()
    ) -> "TrustStore":
        """The store made of these files, DER or PEM; the keys are the files' names."""
        unreadable: list[str] = []
        return cls(
            paas=_by_key_id(paas, PAA, unreadable),
            cd_signers=_by_key_id(cd_signers, None, unreadable),
            revoked=revoked,
            unreadable=tuple(unreadable),
        )

    def with_root(self, paa: bytes) -> "TrustStore":
        """This store with one more PAA, DER; raises `RuleBroken`."""
        certificate = read_certificate(PAA, paa)
        return replace(self, paas={certificate.extensions.subject_key_id: certificate, **self.paas})


def _by_key_id(files: Mapping[str, bytes], profile: Profile | None, unreadable: list[str]) -> dict[bytes, Certificate]:
    found: dict[bytes, Certificate] = {}
    for name, content in sorted(files.items()):
        try:
            data = der_of(content, *CERTIFICATE)
            certificate = read_certificate(profile, data) if profile else Certificate.read(data)
        except RuleBroken as broken:
            unreadable.append(f"{name}: {broken.rule.name} {broken.reason}")
            continue
        except PEMInvalid as invalid:
            unreadable.append(f"{name}: line {invalid.line}: {invalid.reason}")
            continue
        first = found.setdefault(certificate.extensions.subject_key_id, certificate)
        if first.der != data:
            unreadable.append(f"{name}: its key identifier is that of another certificate, which stays")
    return found
