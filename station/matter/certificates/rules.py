# SPDX-License-Identifier: Apache-2.0
"""The rules by which a commissioner judges certificates, by number; a refusal names the rule. Pure.

Sections are those of the Matter Core Specification.
"""

from enum import Enum


class Rule(Enum):
    """A member's name is the rule's number, its value the rule."""

    # Every certificate of the chain: 6.2.2.
    C1 = "The certificate is X.509 version 3."
    C2 = "It is signed with ecdsa-with-SHA256, and names that algorithm inside and outside of the signed part."
    C3 = "Its key is a point on P-256, uncompressed, under the curve's name."
    C4 = "It has at most 600 bytes."
    C5 = "Its serial number is positive and has at most 20 bytes."
    C6 = "Basic constraints are present and critical."
    C7 = "Key usage is present and critical."
    C8 = "The subject key identifier is present, has 20 bytes and is not critical."
    C9 = "The authority key identifier names a key by 20 bytes and is not critical; only a PAA may lack it."
    C10 = "Key identifiers are well formed; behind its key an authority key identifier may have issuer and serial number, each once."
    C11 = "No extension occurs twice, and no unknown one is critical."
    C12 = "It is DER, with nothing missing and nothing left over."
    C13 = "Its validity is written as UTCTime up to 2049 and as GeneralizedTime from 2050, in UTC, to the second; a DAC begins in 1970 or later."
    C14 = "Other extensions that commissioners read are well formed: names, revocation lists, extended usage, constraints, policies."

    # Each kind of certificate: 6.2.2.3 (DAC), 6.2.2.4 (PAI), 6.2.2.5 (PAA).
    T1 = "Basic constraints: a DAC is no CA, a PAI is one with path length 0, a PAA one with path length 1 or none."
    T2 = "Key usage: a DAC signs data and nothing else; PAI and PAA sign certificates and revocation lists."
    T3 = "Subject: DAC and PAI name one vendor, a PAA at most one."
    T4 = "Subject: a DAC names one product, a PAI at most one, a PAA none."
    T5 = "Issuer: the subject of the certificate above, be it in strings of another type or case; a PAA's own subject."
    T6 = "Constraints: PAI and PAA constrain neither names nor policies, and a DAC demands no policy."

    # Vendor and product in a name: 6.2.2.2.
    V1 = "Vendor and product identifiers are four upper-case hexadecimal digits, and occur at most once."
    V2 = "If either has an attribute of its own, the common name does not count, but it keeps V3."
    V3 = "In the first 64 bytes of a common name, Mvid: or Mpid: is followed by four upper-case hexadecimal digits, once."
    V4 = "The vendor is 0x0001 to 0xFFF4, and on a production line no test vendor; the product is not 0."
    V5 = "No common name of the subject is empty."

    # The chain: 6.2.3.1.
    K1 = "The chain is DAC, PAI and PAA, and the PAI is the pinned one."
    K2 = "The PAA is a trusted one, found by the PAI's authority key identifier."
    K3 = "Signatures verify; each authority key identifier has key, issuer and serial number of the certificate above, as far as given."
    K4 = "Vendor and product agree along the chain and with the product that is made."
    K5 = "PAI and PAA are valid at the moment when the DAC begins, and end later."
    K6 = "The DAC is valid now."
    K7 = "Neither DAC nor PAI is revoked."
    K8 = "No two boards have the same DAC key."

    # Possession: 6.2.3.
    P1 = "The DAC carries the board's key."
    P2 = "The request is PKCS#10 version 1, in DER, for a P-256 key, signed by that key with ecdsa-with-SHA256."
    P3 = "Vendor and product are those of the recipe: in the request, and in the DAC whatever the request has."
    P4 = "A request with a common name, where the recipe asks for one: the serial number, vendor and product, no more."

    # The certification declaration: 6.3.1.
    D1 = "Members 0 to 8 are present and in order, both of the origin's or neither; members above 11 may follow, and are not read."
    D2 = "Without an origin: DAC and PAI are of its vendor, and of its products."
    D3 = "With an origin: DAC and PAI are of the origin's vendor and product."
    D4 = "The PAA is on the list of authorized ones, if there is a list."
    D5 = "The signer is known, its signature verifies, and the test key signs for development only."
    D6 = "It is CMS SignedData of exactly the shape that Matter prescribes."
    D7 = "Each member has its type and range, and format version is 1."
    D8 = "It is for the product that is made: vendor, product, device type, certificate, version, no security extras."
    D9 = "A production line requires an official declaration of a vendor that is no test vendor."


class RuleBroken(Exception):
    """Something breaks a rule."""

    def __init__(self, rule: Rule, reason: str) -> None:
        super().__init__(rule, reason)
        self.rule = rule
        self.reason = reason
