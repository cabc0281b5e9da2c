# SPDX-License-Identifier: Apache-2.0
"""The roots whose private keys are published: anybody can issue under them, so no production line trusts them. Pure."""

import hashlib
from collections.abc import Mapping

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from station.matter.certificates.x509 import Certificate

_CHIP = "github.com/project-chip/connectedhomeip"

# SHA-1 of the public point (RFC 5280, 4.2.1.2), which is these roots' own subject key identifier, and the file with
# the private key. Roots with ML-DSA keys, which the SDK publishes as well, fail rule C3.
PUBLISHED_ROOTS: Mapping[bytes, str] = {
    bytes.fromhex(key_id): f"{_CHIP} {file}"
    for key_id, file in (
        # "Matter Test PAA" of 0xFFF1.
        ("6AFD22771F511FECBF1641976710DCDC31A1717E", "credentials/test/attestation/Chip-Test-PAA-FFF1-Key.pem"),
        # "Matter Test PAA" of no vendor; "Matter Test PAA To Resign PAIs" has the same key, and so has matter.js.
        ("785CE705B86B8F4E6FC793AA60CB43EA696882D5", "credentials/test/attestation/Chip-Test-PAA-NoVID-Key.pem"),
        # "Matter Development PAA", which the test net's ledger has, too.
        (
            "FA92CF095EFA42E11430651632FEFE1B2C77A7C8",
            "credentials/development/attestation/Chip-Development-PAA-Key.pem",
        ),
        # Two roots of 0xFFF2 for tests of validity.
        (
            "7F1DAAF24498B986680EA08FC18921E848489D17",
            "credentials/test/attestation/Chip-Test-PAA-FFF2-ValInFuture-Key.pem",
        ),
        (
            "7FBEA6CDD6CC8B2530C2F08E50DBE489F1F53DB5",
            "credentials/test/attestation/Chip-Test-PAA-FFF2-ValInPast-Key.pem",
        ),
        # "Matter Development PAA NXP DUT1", for units of NXP's own vendor number, 0x1037.
        (
            "1821B32228D1AD34B0A36590FEF3691F05C60E28",
            "scripts/tools/nxp/demo_generated_certs/paa/Chip-PAA-NXP-Key.pem",
        ),
        # "Matter Test CD Signing Authority": made for declarations, yet its certificate has the form of a PAA.
        (
            "62FA823359ACFAA9963E1CFA140ADDF504F37160",
            "credentials/test/certification-declaration/Chip-Test-CD-Signing-Key.pem",
        ),
    )
}


def publisher(root: Certificate) -> str | None:
    """The file in which this root's private key is published; None if no published key is known to be its own.

    The key decides, and not only its identifier, which whoever signs the root may choose.
    """
    point = root.public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    of_key = hashlib.sha1(point, usedforsecurity=False).digest()
    return PUBLISHED_ROOTS.get(of_key) or PUBLISHED_ROOTS.get(root.extensions.subject_key_id)
