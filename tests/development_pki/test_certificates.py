# SPDX-License-Identifier: Apache-2.0
"""The development PKI's certificates, byte by byte, by the rules of the Matter Core Specification, 6.2.2."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from development_pki.attestation import Product, make_dac, make_paa, make_pai
from development_pki.certificate import Credential
from tests.development_pki.pki_client import PRODUCT, new_key

ECDSA_WITH_SHA256 = "06082a8648ce3d040302"
BASIC_CONSTRAINTS, KEY_USAGE, SUBJECT_KEY_ID, AUTHORITY_KEY_ID = "551d13", "551d0f", "551d0e", "551d23"
VENDOR_ID, PRODUCT_ID, COMMON_NAME = "2b0601040182a27c0201", "2b0601040182a27c0202", "550403"
UTF8_STRING, GENERALIZED_TIME = 0x0C, 0x18

Element = tuple[int, bytes]  # tag and content


def elements(der: bytes) -> Iterator[Element]:
    """Walks over the elements of a constructed value; this DER reader shares no code with the tested code."""
    while der:
        tag, length, start = der[0], der[1], 2
        if length & 0x80:
            start += length & 0x7F
            length = int.from_bytes(der[2:start], "big")
        yield tag, der[start : start + length]
        der = der[start + length :]


class Parsed:
    """A certificate, taken apart by position (RFC 5280, 4.1)."""

    def __init__(self, certificate: x509.Certificate) -> None:
        self.der = certificate.public_bytes(Encoding.DER)
        ((_, whole),) = elements(self.der)
        (_, tbs), (_, outer_algorithm), (_, self.signature) = elements(whole)
        version, serial, algorithm, issuer, validity, subject, key, extensions = elements(tbs)
        self.version, self.serial_number = version[1].hex(), serial[1]
        self.algorithms = {outer_algorithm.hex(), algorithm[1].hex()}
        self.issuer, self.subject = issuer[1], subject[1]
        self.validity = list(elements(validity[1]))
        self.public_key = key[1]
        ((_, listed),) = elements(extensions[1])
        self.extensions = [tuple(element.hex() for _, element in elements(each)) for _, each in elements(listed)]

    @property
    def names(self) -> dict[str, Element]:
        """Type and value of each attribute of the subject."""
        attributes = [list(elements(attribute)) for _, rdn in elements(self.subject) for _, attribute in elements(rdn)]
        assert len({oid for (_, oid), _ in attributes}) == len(attributes)
        return {oid.hex(): value for (_, oid), value in attributes}

    def extension(self, oid: str) -> str:
        (found,) = [each for each in self.extensions if each[0] == oid]
        return found[-1]


@pytest.fixture(scope="module")
def paa() -> Credential:
    return make_paa(PRODUCT)


@pytest.fixture(scope="module")
def pai(paa: Credential) -> Credential:
    return make_pai(paa, PRODUCT)


@pytest.fixture(scope="module")
def dac(pai: Credential) -> x509.Certificate:
    return make_dac(pai, PRODUCT, new_key().public_key())


def test_openssl_accepts_the_chain_strictly(
    paa: Credential, pai: Credential, dac: x509.Certificate, tmp_path: Path
) -> None:
    """A second opinion: `openssl verify -x509_strict` accepts DAC, PAI and PAA."""
    for name, certificate in (("paa", paa.certificate), ("pai", pai.certificate), ("dac", dac)):
        (tmp_path / name).write_bytes(certificate.public_bytes(Encoding.PEM))
    command = ["openssl", "verify", "-x509_strict", "-CAfile", "paa", "-untrusted", "pai", "dac"]
    verified = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (verified.stdout, verified.stderr) == ("dac: OK\n", "")


def test_dac_extensions(pai: Credential, dac: x509.Certificate) -> None:
    """A DAC is not a CA and may only sign; it names its key and the PAI's; it has no other extension."""
    own = x509.SubjectKeyIdentifier.from_public_key(dac.public_key()).digest.hex()
    issuers = x509.SubjectKeyIdentifier.from_public_key(pai.key.public_key()).digest.hex()
    critical = "ff"
    assert Parsed(dac).extensions == [
        (BASIC_CONSTRAINTS, critical, "3000"),  # neither cA nor pathLenConstraint is encoded
        (KEY_USAGE, critical, "03020780"),
        (SUBJECT_KEY_ID, f"0414{own}"),
        (AUTHORITY_KEY_ID, f"30168014{issuers}"),
    ]


@pytest.mark.parametrize(("who", "constraints"), [("pai", "30060101ff020100"), ("paa", "30060101ff020101")])
def test_authority_extensions(paa: Credential, pai: Credential, who: str, constraints: str) -> None:
    """PAI and PAA are CAs of path length 0 and 1, sign certificates and revocation lists, and are signed by the PAA."""
    parsed = Parsed((pai if who == "pai" else paa).certificate)
    assert parsed.extension(BASIC_CONSTRAINTS) == constraints
    assert parsed.extension(KEY_USAGE) == "03020106"
    assert [each[1] for each in parsed.extensions[:2]] == ["ff", "ff"]
    assert [len(each) for each in parsed.extensions] == [3, 3, 2, 2]
    assert parsed.extension(AUTHORITY_KEY_ID)[-40:] == Parsed(paa.certificate).extension(SUBJECT_KEY_ID)[-40:]


def test_vendor_and_product_are_utf8_strings_of_four_digits() -> None:
    """DAC and PAI name vendor and product, the PAA only the vendor, all in upper-case hexadecimal."""
    product = Product.numbered(0xFFF4, 0x0ABC)
    vendor = (UTF8_STRING, b"FFF4")
    expected = {VENDOR_ID: vendor, PRODUCT_ID: (UTF8_STRING, b"0ABC")}
    paa = make_paa(product)
    pai = make_pai(paa, product)
    dac = make_dac(pai, product, new_key().public_key())
    names = [Parsed(certificate).names for certificate in (dac, pai.certificate, paa.certificate)]
    common_names = [each.pop(COMMON_NAME) for each in names]
    assert names == [expected, expected, {VENDOR_ID: vendor}]
    assert [(tag, value[:9]) for tag, value in common_names] == [
        (UTF8_STRING, b"TEST DAC "),
        (UTF8_STRING, b"TEST PAI"),
        (UTF8_STRING, b"TEST PAA"),
    ]


def test_the_issuer_is_the_subject_of_the_signer_byte_for_byte(
    paa: Credential, pai: Credential, dac: x509.Certificate
) -> None:
    """A commissioner compares names as bytes."""
    assert Parsed(dac).issuer == Parsed(pai.certificate).subject
    assert Parsed(pai.certificate).issuer == Parsed(paa.certificate).subject == Parsed(paa.certificate).issuer


@pytest.mark.parametrize("who", ["dac", "pai", "paa"])
def test_all_are_version_3_p256_and_ecdsa_with_sha256(
    paa: Credential, pai: Credential, dac: x509.Certificate, who: str
) -> None:
    """Version and algorithms are those that Matter allows; each certificate fits into 600 bytes."""
    parsed = Parsed({"dac": dac, "pai": pai.certificate, "paa": paa.certificate}[who])
    assert parsed.version == "020102"
    assert parsed.algorithms == {ECDSA_WITH_SHA256}
    assert parsed.public_key.hex().startswith("301306072a8648ce3d020106082a8648ce3d03010703420004")
    assert len(parsed.der) <= 600


def test_no_certificate_expires_and_the_dac_begins_last(
    paa: Credential, pai: Credential, dac: x509.Certificate
) -> None:
    """A commissioner checks PAA and PAI at the moment when the DAC's validity begins."""
    for certificate in (dac, pai.certificate, paa.certificate):
        assert Parsed(certificate).validity[1] == (GENERALIZED_TIME, b"99991231235959Z")
    begun = [each.not_valid_before_utc for each in (paa.certificate, pai.certificate, dac)]
    assert begun[0] <= begun[1] < begun[2]


def test_serial_numbers_are_positive_and_different(pai: Credential) -> None:
    """Each of 500 is unique, has 16 octets in DER, and is in the common name."""
    key = new_key().public_key()
    parsed = [Parsed(make_dac(pai, PRODUCT, key)) for _ in range(500)]
    assert len({each.serial_number for each in parsed}) == 500
    assert {len(each.serial_number) for each in parsed} == {16}
    assert all(0x40 <= each.serial_number[0] <= 0x7F for each in parsed)
    common_name = parsed[0].names[COMMON_NAME][1].decode()
    assert common_name == f"TEST DAC {parsed[0].serial_number.hex().upper()}"


@pytest.mark.parametrize("vendor_id", [0x0001, 0x1049, 0xFFF0, 0xFFF5, 0x1FFF1, -1])
def test_only_test_vendors_are_served(vendor_id: int) -> None:
    """A real vendor's id is refused before any key is made."""
    with pytest.raises(ValueError, match="only the test vendor ids FFF1 to FFF4"):
        Product.numbered(vendor_id, 0x8004)


@pytest.mark.parametrize("product_id", [0, 0x10000, -1])
def test_a_product_id_that_cannot_be_assigned_is_refused(product_id: int) -> None:
    """Product ids are 16 bits and not 0."""
    with pytest.raises(ValueError, match="product id"):
        Product.numbered(0xFFF1, product_id)
