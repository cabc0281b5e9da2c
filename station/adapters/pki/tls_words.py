# SPDX-License-Identifier: Apache-2.0
"""A failed TLS handshake in words: the alert that the server sent, the mistake in its certificate, the protocol that it speaks."""

import asyncio
import ssl

import aiohttp

# OpenSSL's names of the TLS alerts with which a server refuses this client. With TLS 1.3 such an alert arrives after
# the client's handshake has succeeded; the server has not read the request.
REFUSALS = {
    "SSLV3_ALERT_BAD_CERTIFICATE": "it cannot read the station's certificate, or does not accept it",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "it says that the station's certificate has expired",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "it says that the station's certificate is revoked",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "it does not accept the station's certificate",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "it accepts neither the station's certificate nor its ciphers",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "it accepts no certificate of the station's kind",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it wants a certificate of the station, and got none",
    "TLSV1_ALERT_ACCESS_DENIED": "it knows the station's certificate, and denies access",
    "TLSV1_ALERT_DECRYPT_ERROR": "it cannot verify the signature of the station's key",
    "TLSV1_ALERT_INSUFFICIENT_SECURITY": "it wants stronger ciphers",
    "TLSV1_ALERT_UNKNOWN_CA": "it does not know the authority of the station's certificate",
}

# OpenSSL's names of the errors after which the two sides have no protocol in common.
NO_PROTOCOL = frozenset(
    {
        "HTTP_REQUEST",
        "NO_PROTOCOLS_AVAILABLE",
        "PACKET_LENGTH_TOO_LONG",
        "RECORD_LAYER_FAILURE",
        "TLSV1_ALERT_PROTOCOL_VERSION",
        "UNSUPPORTED_PROTOCOL",
        "WRONG_SSL_VERSION",
        "WRONG_VERSION_NUMBER",
    }
)

# X509_V_ERR_… of OpenSSL's x509_vfy.h
_MISTAKES = {
    9: "its certificate is not valid yet: check the clocks",
    10: "its certificate has expired",
    18: "its certificate is signed by itself, not by the authority in [pki] ca",
    19: "its certificate's authority is not in [pki] ca",
    20: "its certificate's authority is not in [pki] ca",
    21: "its certificate's authority is not in [pki] ca",
    62: "its certificate is for another host name",
    64: "its certificate is for another IP address",
}
_VERSIONS = {0x0300: "SSL 3.0", 0x0301: "TLS 1.0", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2", 0x0304: "TLS 1.3"}
_HANDSHAKE, _ALERT, _SERVER_HELLO, _SUPPORTED_VERSIONS = 0x16, 0x15, 0x02, 43
_HEADER = 5  # bytes of a TLS record's header


def error_of(exc: BaseException) -> str | None:
    """OpenSSL's name of the TLS error behind a failed request; None if there is none."""
    return exc.__cause__.reason if isinstance(exc.__cause__, ssl.SSLError) else None


def mistake_in_certificate(exc: aiohttp.ClientConnectorCertificateError) -> str:
    """The mistake in the server's certificate."""
    error = exc.certificate_error
    if not isinstance(error, ssl.SSLCertVerificationError):
        return "its certificate does not verify"
    words = _MISTAKES.get(error.verify_code, "its certificate does not verify")
    return f"{words} ({error.verify_message.rstrip('.')})"


def floor_missed(spoken: str | None, floor: ssl.TLSVersion) -> str | None:
    """Why the two have no protocol in common; None if what the server has shown is no reason."""
    least = "TLS 1.3" if floor is ssl.TLSVersion.TLSv1_3 else "TLS 1.2"
    if spoken is None:
        return None
    if spoken not in _VERSIONS.values():
        return f"it answers {spoken}, not TLS"
    return f"it speaks {spoken} only, and the station's floor is {least}" if spoken < least else None


async def spoken_at(host: str, port: int, within: float) -> str | None:
    """The protocol that a server speaks, from the first bytes of its answer to a greeting of any TLS version.

    Nothing is sent but the greeting; None if the server shows nothing.
    """
    try:
        async with asyncio.timeout(within):
            return _protocol(await _first_bytes(host, port, _greeting(host)))
    except (OSError, TimeoutError):
        return None


def _greeting(host: str) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # the handshake ends with the server's first bytes
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    outgoing = ssl.MemoryBIO()
    try:
        context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=host).do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise AssertionError("a handshake needs an answer")


async def _first_bytes(host: str, port: int, greeting: bytes) -> bytes:
    """The server's first TLS record, or whatever it sends in its place."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(greeting)
        start = await reader.readexactly(_HEADER)
        size = int.from_bytes(start[3:], "big") if start[0] == _HANDSHAKE else 0
        return start + await reader.readexactly(size)
    except asyncio.IncompleteReadError:
        return b""
    finally:
        writer.close()


def _protocol(start: bytes) -> str | None:
    if start.startswith(b"HTTP/"):
        return "plain HTTP"
    if not start or start[0] == _ALERT:
        return None
    if start[0] != _HANDSHAKE:
        return "something else"
    return _VERSIONS.get(_version(start[_HEADER:]))


def _version(hello: bytes) -> int:
    """The version that a ServerHello chooses (RFC 8446, 4.1.3), which since TLS 1.3 is an extension; 0 if it is none."""
    if hello[:1] != bytes([_SERVER_HELLO]) or len(hello) < 39:
        return 0
    at = 39 + hello[38] + 3 + 2  # after the session's id, cipher suite, compression, and the extensions' length
    while at + 4 <= len(hello):
        kind, size = int.from_bytes(hello[at : at + 2], "big"), int.from_bytes(hello[at + 2 : at + 4], "big")
        if kind == _SUPPORTED_VERSIONS:
            return int.from_bytes(hello[at + 4 : at + 6], "big")
        at += 4 + size
    return int.from_bytes(hello[4:6], "big")
