# SPDX-License-Identifier: Apache-2.0
"""The CHIP SDK's verifier of attestations, called as a library: `python -m tests.commissioning.chip_verifier LIBRARY`.

Answers each JSON line with the number of a verdict. The wheel has no Python name for the verifier; its library exports the symbols
of `chip::Credentials::DefaultDACVerifier`, the class that the controller itself uses, and this calls that class.
"""

import ctypes
import json
import os
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

NONCE, CHALLENGE = bytes(32), bytes(16)
PAA_NOT_FOUND = 101
_PAA = 0
_LONGEST_PAA = 600  # the SDK's file store leaves out a longer one, and one that is no PAA
_CREDENTIALS = "_ZN4chip11Credentials"
_ANSWER = "PFvPvRKNS_11Credentials25DeviceAttestationVerifier15AttestationInfoENS3_29AttestationVerificationResultEE"
_INFORMATION = "RKNS0_25DeviceAttestationVerifier15AttestationInfoE"
_HEARD = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint16)


class Span(ctypes.Structure):
    """`chip::ByteSpan`."""

    _fields_ = (("data", ctypes.c_char_p), ("size", ctypes.c_size_t))


class Information(ctypes.Structure):
    """`chip::Credentials::DeviceAttestationVerifier::AttestationInfo`."""

    _fields_ = (
        *((name, Span) for name in ("elements", "challenge", "signature", "pai", "dac", "nonce")),
        ("vendor_id", ctypes.c_uint16),
        ("product_id", ctypes.c_uint16),
    )


class Outcome(ctypes.Structure):
    """`CHIP_ERROR`; code 0 is success."""

    _fields_ = (("code", ctypes.c_uint32), ("file", ctypes.c_char_p), ("line", ctypes.c_uint32))


@dataclass(frozen=True)
class Verifier:
    """The class of one loaded library. Its objects stay in memory while this lives."""

    sdk: ctypes.CDLL

    def verdict(
        self, elements: bytes, signature: bytes, chain: tuple[bytes, bytes, bytes], ids: tuple[int, int]
    ) -> int:
        """`AttestationVerificationResult` for a DAC, a PAI and the only PAA that is trusted; 0 accepts."""
        dac, pai, paa = chain
        if len(paa) > _LONGEST_PAA or self._is_paa(ctypes.byref(_span(paa)), _PAA).code != 0:
            return PAA_NOT_FOUND
        roots, store, verifier, callback = (Span * 1)(_span(paa)), _room(), _room(), _room()
        heard: list[int] = []
        ear = _HEARD(lambda _context, _information, result: heard.append(result))
        self._function(f"{_CREDENTIALS}26ArrayAttestationTrustStoreC1EPKNS_4SpanIKhEEm")(
            store, roots, ctypes.c_size_t(1)
        )
        self._function(
            f"{_CREDENTIALS}18DefaultDACVerifierC1EPKNS0_21AttestationTrustStoreEPNS0_35DeviceAttestationRevocationDelegateE"
        )(verifier, store, None)
        self._function(f"_ZN4chip8Callback8CallbackI{_ANSWER}EC1ESA_S2_")(callback, ear, None)
        spans = (_span(part) for part in (elements, CHALLENGE, signature, pai, dac, NONCE))
        self._verify(verifier, ctypes.byref(Information(*spans, *ids)), callback)
        (result,) = heard
        return result

    def _function(self, symbol: str) -> "ctypes._NamedFuncPointer":
        function = self.sdk[symbol]
        function.restype = None
        return function

    @cached_property
    def _verify(self) -> "ctypes._NamedFuncPointer":
        return self._function(
            f"{_CREDENTIALS}18DefaultDACVerifier28VerifyAttestationInformationE{_INFORMATION}"
            "PNS_8Callback8CallbackIPFvPvS5_NS0_29AttestationVerificationResultEEEE"
        )

    @cached_property
    def _is_paa(self) -> "ctypes._NamedFuncPointer":
        function = self.sdk[
            "_ZN4chip6Crypto34VerifyAttestationCertificateFormatERKNS_4SpanIKhEENS0_19AttestationCertTypeE"
        ]
        function.restype = Outcome
        return function


def loaded(path: Path) -> Verifier:
    """The verifier of a library, with its own memory ready and its log silent."""
    library = ctypes.CDLL(str(path))
    library["_ZN4chip7Logging12SetLogFilterEh"](0)
    memory = library["_ZN4chip8Platform10MemoryInitEPvm"]
    memory.restype = Outcome
    assert memory(None, ctypes.c_size_t(0)).code == 0
    return Verifier(library)


def _span(data: bytes) -> Span:
    return Span(data, len(data))


def _room() -> "ctypes.Array[ctypes.c_char]":
    """Zeroed memory for an object of a class; the largest takes less."""
    return ctypes.create_string_buffer(4096)


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever the library prints
    verifier = loaded(Path(sys.argv[1]))
    for line in sys.stdin:
        asked = json.loads(line)
        elements, signature, dac, pai, paa = (
            bytes.fromhex(asked[name]) for name in ("elements", "signature", "dac", "pai", "paa")
        )
        ids = (asked["vendor_id"], asked["product_id"])
        answers.write(f"{verifier.verdict(elements, signature, (dac, pai, paa), ids)}\n")


if __name__ == "__main__":
    main()
