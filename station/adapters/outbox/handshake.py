# SPDX-License-Identifier: Apache-2.0
"""Tries whether a server of the MES can be reached, and how long its certificate lasts. Sends nothing but the handshake."""

import asyncio
import socket
import ssl
from datetime import UTC, datetime


class Unreachable(Exception):
    """The server cannot be reached; the text says why."""


class Unresolved(Unreachable):
    """Nobody knows the server's name."""


class HandshakeFailed(Unreachable):
    """The server was reached, and TLS was not agreed with it."""


async def reach(host: str, port: int, context: ssl.SSLContext | None, within: float) -> datetime | None:
    """Connects, and returns until when the server's certificate is valid; None without TLS. Raises `Unreachable`."""
    try:
        async with asyncio.timeout(within):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
    except socket.gaierror as exc:
        raise Unresolved(exc.strerror or "the name has no address") from exc
    except TimeoutError as exc:
        raise Unreachable(f"no answer within {within:g} s") from exc
    except ssl.SSLCertVerificationError as exc:
        raise HandshakeFailed(f"its certificate is refused: {exc.verify_message}") from exc
    except ssl.SSLError as exc:
        raise HandshakeFailed(exc.reason or str(exc)) from exc
    except OSError as exc:
        raise Unreachable(exc.strerror or str(exc)) from exc
    certificate = writer.get_extra_info("peercert")
    writer.transport.abort()
    if not certificate:
        return None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
