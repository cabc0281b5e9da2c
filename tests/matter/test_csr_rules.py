# SPDX-License-Identifier: Apache-2.0
"""The certificate requests that may reach the PKI."""

from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from station.faults.unit import CSRInvalid
from station.matter.certificates.chain import check_csr
from tests.builders.forge import (
    COMMON_NAME,
    DAC_KEY,
    ECDSA_SHA256_NULL,
    ECDSA_SHA384,
    OTHER_KEY,
    PRODUCT,
    VENDOR,
    ForgedRequest,
    name,
    public_key,
    sequence,
    tlv,
)

GOOD = ForgedRequest()
P384 = ec.derive_private_key(5, ec.SECP384R1())
CHALLENGE = sequence(bytes.fromhex("06092a864886f70d010907"), tlv(0x31, tlv(0x0C, b"x")))


def judged(data: bytes) -> str:
    """The rule that the request breaks, or "accepted"."""
    try:
        check_csr(data, vendor_id=0xFFF1, product_id=0x8004)
    except CSRInvalid as fault:
        return fault.rule
    return "accepted"


BROKEN: list[tuple[str, str, ForgedRequest]] = [
    ("P2", "version 2", replace(GOOD, version=tlv(0x02, b"\x01"))),
    ("P2", "SHA-384", replace(GOOD, algorithm=ECDSA_SHA384)),
    ("P2", "parameters", replace(GOOD, algorithm=ECDSA_SHA256_NULL)),
    ("P2", "signed by another key", replace(GOOD, signer=OTHER_KEY)),
    ("P2", "a byte behind", replace(GOOD, behind=b"\0")),
    ("P2", "no attributes field", replace(GOOD, attributes=b"")),
    ("P2", "something in place of attributes", replace(GOOD, attributes=tlv(0xA0, b"\x02\x01\0"))),
    ("C3", "P-384", replace(GOOD, key=public_key(P384))),
    ("V1", "lower case", replace(GOOD, subject=name((VENDOR, "fff1"), (PRODUCT, "8004")))),
    ("P3", "another vendor", replace(GOOD, subject=name((VENDOR, "FFF2"), (PRODUCT, "8004")))),
    ("P3", "another product", replace(GOOD, subject=name((VENDOR, "FFF1"), (PRODUCT, "8005")))),
    ("P3", "no vendor and product", replace(GOOD, subject=name((COMMON_NAME, "DAC")))),
]


@pytest.mark.parametrize(
    "request_",
    [
        GOOD,
        replace(GOOD, attributes=tlv(0xA0, CHALLENGE)),
        replace(GOOD, subject=name((COMMON_NAME, "DAC Mvid:FFF1 Mpid:8004"))),
    ],
    ids=["plain", "with attributes", "common name"],
)
def test_a_good_request_is_accepted(request_: ForgedRequest) -> None:
    """Attributes are ignored, and the common name may carry vendor and product."""
    assert judged(request_.der) == "accepted"


@pytest.mark.parametrize(
    ("rule", "what", "request_"), BROKEN, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_request_that_breaks_a_rule_is_refused_by_that_rule(rule: str, what: str, request_: ForgedRequest) -> None:
    """Each case changes one thing in a good request."""
    assert judged(request_.der) == rule


def test_the_subject_is_free_where_nothing_is_asked_of_it() -> None:
    """Without a required vendor and product, only form and signature are checked."""
    check_csr(replace(GOOD, subject=name((COMMON_NAME, "any"))).der)
    with pytest.raises(CSRInvalid):
        check_csr(replace(GOOD, subject=name((COMMON_NAME, "any"))).der, product_id=1)


def test_a_request_of_the_library_is_accepted() -> None:
    """cryptography writes requests by independent code."""
    vendor, product = (x509.ObjectIdentifier(f"1.3.6.1.4.1.37244.2.{arc}") for arc in (1, 2))
    subject = [(NameOID.COMMON_NAME, "DAC"), (vendor, "FFF1"), (product, "8004")]
    builder = x509.CertificateSigningRequestBuilder(x509.Name([x509.NameAttribute(*item) for item in subject]))
    assert judged(builder.sign(DAC_KEY, hashes.SHA256()).public_bytes(Encoding.DER)) == "accepted"


@pytest.mark.parametrize("length", range(len(GOOD.der)))
def test_a_request_that_is_cut_off_is_refused(length: int) -> None:
    assert judged(GOOD.der[:length]) == "P2"


def test_a_request_with_any_bit_flipped_is_refused() -> None:
    """Every bit of a request is signed or belongs to the signature."""
    good = GOOD.der
    flipped = ((int.from_bytes(good, "big") ^ 1 << bit).to_bytes(len(good), "big") for bit in range(len(good) * 8))
    assert "accepted" not in set(map(judged, flipped))


@settings(max_examples=300, derandomize=True)
@given(st.binary(max_size=20), st.integers(0, 300), st.integers(0, 20))
def test_any_change_is_refused_by_name(patch: bytes, at: int, removed: int) -> None:
    """Every change is refused by a rule; no other error is raised."""
    changed = GOOD.der[:at] + patch + GOOD.der[at + removed :]
    assert (judged(changed) == "accepted") == (changed == GOOD.der)


OWN_NAME = ((COMMON_NAME, "LT2600000001"), (VENDOR, "FFF1"), (PRODUCT, "8004"))
OTHER_NAMES = {
    "none": OWN_NAME[1:],
    "of another unit": ((COMMON_NAME, "LT2600000002"), *OWN_NAME[1:]),
    "cut off": ((COMMON_NAME, "LT260000000"), *OWN_NAME[1:]),
    "with its NUL": ((COMMON_NAME, "LT2600000001\0"), *OWN_NAME[1:]),
    "twice": (OWN_NAME[0], *OWN_NAME),
    "at the end": (*OWN_NAME[1:], OWN_NAME[0]),
    "and more": (*OWN_NAME, ("060355040a", "an organization")),
}


def test_a_request_with_the_common_name_that_was_asked_for_is_accepted() -> None:
    """Only such a request is, and without the wish any common name."""
    own = replace(GOOD, subject=name(*OWN_NAME)).der
    check_csr(own, vendor_id=0xFFF1, product_id=0x8004, common_name="LT2600000001")
    check_csr(own, vendor_id=0xFFF1, product_id=0x8004)
    longest = ((COMMON_NAME, "S" * 32), *OWN_NAME[1:])
    check_csr(replace(GOOD, subject=name(*longest)).der, vendor_id=0xFFF1, product_id=0x8004, common_name="S" * 32)


@pytest.mark.parametrize("subject", OTHER_NAMES)
def test_another_subject_than_was_asked_for_is_refused(subject: str) -> None:
    """An authority with unique subjects would refuse the board, or another one for this."""
    request = replace(GOOD, subject=name(*OTHER_NAMES[subject])).der
    with pytest.raises(CSRInvalid, match="expected 'LT2600000001', vendor and product") as caught:
        check_csr(request, vendor_id=0xFFF1, product_id=0x8004, common_name="LT2600000001")
    assert caught.value.rule == "P4"


def test_the_subject_has_the_types_that_were_asked_for() -> None:
    """An authority may take a PrintableString for another name."""
    request = replace(GOOD, subject=name(*OWN_NAME, kind=0x13)).der
    with pytest.raises(CSRInvalid, match="P4"):
        check_csr(request, vendor_id=0xFFF1, product_id=0x8004, common_name="LT2600000001")


def test_another_product_is_told_before_another_name() -> None:
    """The board is of another product, and nothing is wrong with its name."""
    request = replace(GOOD, subject=name(OWN_NAME[0], (VENDOR, "FFF1"), (PRODUCT, "8005"))).der
    with pytest.raises(CSRInvalid, match="P3"):
        check_csr(request, vendor_id=0xFFF1, product_id=0x8004, common_name="LT2600000001")
