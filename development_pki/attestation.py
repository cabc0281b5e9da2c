# SPDX-License-Identifier: Apache-2.0
"""The certificates of Matter device attestation: test PAA, test PAI and DAC. No I/O.

Their profile is that of the Matter Core Specification, 6.2.2.3 (DAC), 6.2.2.4 (PAI) and 6.2.2.5 (PAA).
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from development_pki.certificate import NO_EXPIRY, Credential, Template, key_usage, new_serial_number

VENDOR_ID = x509.ObjectIdentifier("1.3.6.1.4.1.37244.2.1")
PRODUCT_ID = x509.ObjectIdentifier("1.3.6.1.4.1.37244.2.2")
PADDING = x509.ObjectIdentifier("2.25.1")  # an arc in which nobody has to register; nobody knows this one
TEST_VENDOR_IDS = range(0xFFF1, 0xFFF5)

# The DAC's validity begins earlier, since a commissioner's clock may be a little behind.
BACKDATED = timedelta(minutes=10)
# A commissioner checks PAA and PAI at the moment when the DAC's validity begins, so theirs must begin earlier.
ROOTS_BACKDATED = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Product:
    """The vendor id and product id that an authority issues for, as certificates write them."""

    vendor_id: str
    product_id: str

    @classmethod
    def numbered(cls, vendor_id: int, product_id: int) -> "Product":
        """Takes the numbers; ValueError if the vendor id is a real vendor's, or the product id cannot be assigned."""
        if vendor_id not in TEST_VENDOR_IDS:
            raise ValueError(f"vendor id {vendor_id:04X}: only the test vendor ids FFF1 to FFF4 are served here")
        if not 1 <= product_id <= 0xFFFF:
            raise ValueError(f"product id {product_id:#x}: it must be 0x0001 to 0xFFFF")
        return cls(f"{vendor_id:04X}", f"{product_id:04X}")

    @classmethod
    def named_in(cls, name: x509.Name) -> "Product | None":
        """Reads both ids from a subject; None unless each occurs exactly once."""
        vendor_ids, product_ids = name.get_attributes_for_oid(VENDOR_ID), name.get_attributes_for_oid(PRODUCT_ID)
        if len(vendor_ids) != 1 or len(product_ids) != 1:
            return None
        return cls(str(vendor_ids[0].value), str(product_ids[0].value))

    def __str__(self) -> str:
        return f"{self.vendor_id}/{self.product_id}"

    def other(self) -> "Product":
        """Another product of the same vendor, for a DAC that is wrong on purpose."""
        return Product(self.vendor_id, f"{int(self.product_id, 16) ^ 1 or 2:04X}")

    def of_other_vendor(self) -> "Product":
        """The product of the same number of another test vendor."""
        return Product("FFF2" if self.vendor_id == "FFF1" else "FFF1", self.product_id)


def common_name_in(name: x509.Name | None) -> str | None:
    """The one common name of a subject; None unless there is exactly one."""
    found = [] if name is None else name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if len(found) == 1 else None


def make_paa(product: Product) -> Credential:
    """Makes the root of the test PKI, bound to the vendor."""
    return Credential.root(
        Template(
            subject=_name("TEST PAA", (VENDOR_ID, product.vendor_id)),
            constraints=x509.BasicConstraints(ca=True, path_length=1),
            usage=key_usage(sign_certificates=True),
            valid_from=datetime.now(UTC) - ROOTS_BACKDATED,
        )
    )


def make_pai(paa: Credential, product: Product) -> Credential:
    """Makes the intermediate that signs DACs, bound to vendor and product."""
    return paa.subordinate(
        Template(
            subject=_name("TEST PAI", (VENDOR_ID, product.vendor_id), (PRODUCT_ID, product.product_id)),
            constraints=x509.BasicConstraints(ca=True, path_length=0),
            usage=key_usage(sign_certificates=True),
            valid_from=datetime.now(UTC) - ROOTS_BACKDATED,
        )
    )


def make_dac(
    pai: Credential,
    product: Product,
    public_key: ec.EllipticCurvePublicKey,
    *,
    begins_in: timedelta = -BACKDATED,
    ends_in: timedelta | None = None,
    serial_number: int | None = None,
    size: int | None = None,
    common_name: str | None = None,
) -> x509.Certificate:
    """Signs the attestation certificate of one device: at every call a new one, whose name is unique if none is given.

    Its validity begins and ends so long after now; `size` asks for exactly so many bytes of DER.
    """
    now, unique = datetime.now(UTC), new_serial_number()
    template = Template(
        subject=_name(
            common_name or f"TEST DAC {unique:X}", (VENDOR_ID, product.vendor_id), (PRODUCT_ID, product.product_id)
        ),
        constraints=x509.BasicConstraints(ca=False, path_length=None),
        usage=key_usage(digital_signature=True),
        valid_from=now + begins_in,
        valid_until=NO_EXPIRY if ends_in is None else now + ends_in,
        serial_number=unique if serial_number is None else serial_number,
    )
    return pai.certify(template, public_key) if size is None else _sized(pai, template, public_key, size)


def _sized(pai: Credential, template: Template, public_key: ec.EllipticCurvePublicKey, size: int) -> x509.Certificate:
    """Fills an extension that nobody knows until the certificate has the size.

    The loop ends, since the length of a signature in DER varies by chance from one to the next.
    """
    filling = 1
    while True:
        padding = x509.UnrecognizedExtension(PADDING, bytes(filling))
        certificate = pai.certify(replace(template, more=(padding,)), public_key)
        missing = size - len(certificate.public_bytes(Encoding.DER))
        if missing == 0:
            return certificate
        if filling + missing < 1:
            raise ValueError(f"no certificate has as few as {size} bytes")
        filling += missing


def _name(common_name: str, *identifiers: tuple[x509.ObjectIdentifier, str]) -> x509.Name:
    # All are UTF8Strings, the default of `cryptography` for these types.
    attributes = ((NameOID.COMMON_NAME, common_name), *identifiers)
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes])
