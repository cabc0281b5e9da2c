# SPDX-License-Identifier: Apache-2.0
"""Reads what an EST server wants of a request (RFC 7030, 4.5.2, and RFC 9908), and says what a board's request lacks. Pure.

A board's request has a key on P-256, a signature by ecdsa-with-SHA256, and no attributes.
"""

from station.adapters.pki import ber
from station.adapters.pki.ber import BERInvalid, Element

_EC_KEY = "1.2.840.10045.2.1"
_P256 = "1.2.840.10045.3.1.7"
_EXTENSIONS = "1.2.840.113549.1.9.14"
_TEMPLATE = "1.2.840.113549.1.9.16.2.61"
_ECDSA_WITH_SHA256 = "1.2.840.10045.4.3.2"
_SIGNATURES = ("1.2.840.10045.4.", "1.2.840.113549.1.1.", "1.3.101.112", "1.3.101.113", "2.16.840.1.101.3.4.3.")
_RSA_KEY = "1.2.840.113549.1.1.1"
_NAMES = {
    "1.2.840.10045.4.3.3": "ecdsa-with-SHA384",
    "1.2.840.10045.4.3.4": "ecdsa-with-SHA512",
    "1.2.840.113549.1.1.11": "sha256WithRSAEncryption",
    "1.2.840.113549.1.9.7": "challengePassword",
    "1.3.132.0.34": "secp384r1",
    "1.3.132.0.35": "secp521r1",
    "1.3.6.1.1.1.1.22": "macAddress",
    "2.5.29.15": "keyUsage",
    "2.5.29.17": "subjectAltName",
    "2.5.29.37": "extKeyUsage",
    _TEMPLATE: "a template of the request",
}
MOST = 20


def lacking(csrattrs: bytes) -> list[str]:
    """What the server's CsrAttrs, DER, want and a board's request does not have; raises `BERInvalid`."""
    wanted = [_wanted(each) for each in _first(list(ber.elements(csrattrs))).members()[:MOST]]
    plain = [oid for oid, values in wanted if values is None]
    signatures = [oid for oid in plain if oid.startswith(_SIGNATURES) and oid != _RSA_KEY]
    keys = [oid for oid in (each for each, _ in wanted) if oid in {_EC_KEY, _RSA_KEY}]
    curves = [_oid(curve) for oid, values in wanted if oid == _EC_KEY for curve in values or () if curve.tag == ber.OID]
    lacks = []
    if keys and (_EC_KEY not in keys or (curves and _P256 not in curves)):
        lacks.append(f"a key of another kind ({', '.join(map(_name, curves or keys))})")
    if signatures and _ECDSA_WITH_SHA256 not in signatures:
        lacks.append(f"a signature by {' or '.join(map(_name, signatures))}")
    for oid, values in wanted:
        if oid == _EXTENSIONS:
            lacks += [f"the extension {_name(each)}" for each in _extensions(values or [])]
        elif oid not in {*signatures, *keys, _P256}:
            lacks.append(_name(oid))
    return lacks


def _wanted(element: Element) -> tuple[str, list[Element] | None]:
    """An attribute with its values; an OID alone has none."""
    if element.tag == ber.OID:
        return _oid(element), None
    members = element.members()
    values = [each for each in members[1:] if each.tag == ber.SET]
    return _oid(_first(members)), values[0].members() if values else []


def _extensions(values: list[Element]) -> list[str]:
    """The extensions in the values of an extension request; the RFC's own example has their OIDs instead."""
    alone = [_oid(each) for each in values if each.tag == ber.OID]
    inside = [extension for each in values if each.tag != ber.OID for extension in each.members()]
    return alone + [_oid(_first(extension.members())) for extension in inside]


def _first(members: list[Element]) -> Element:
    if not members:
        raise BERInvalid("an empty element")
    return members[0]


def _name(oid: str) -> str:
    return _NAMES.get(oid, oid)


def _oid(element: Element) -> str:
    if element.tag != ber.OID or not element.content:
        raise BERInvalid("no OBJECT IDENTIFIER")
    arcs, arc = [], 0
    for byte in element.content[:64]:
        arc = arc << 7 | byte & 0x7F
        if byte < 0x80:
            arcs.append(arc)
            arc = 0
    first = min(arcs[0] // 40, 2) if arcs else 0
    return ".".join(map(str, [first, arcs[0] - 40 * first, *arcs[1:]])) if arcs else ""
