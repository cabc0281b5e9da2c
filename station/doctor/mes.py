# SPDX-License-Identifier: Apache-2.0
"""The MES, before a board depends on it: its addresses, TLS, the secrets for it, and whether its broker takes the station.

It gets no event: a webhook is asked for its HEAD, and a broker sees somebody who comes and leaves.
"""

from collections.abc import AsyncIterator, Iterator
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509

from station.adapters.outbox import secret_file
from station.adapters.outbox.handshake import HandshakeFailed, Unreachable, Unresolved, reach
from station.adapters.outbox.http import NoAnswer, Post, Reply
from station.adapters.outbox.secret_file import SecretUnusable
from station.adapters.outbox.tls_files import TLS, TLSFiles
from station.adapters.system.shown import shown
from station.config import plain_files
from station.config.mes import MESSection
from station.doctor.finding import Finding, advice, bad, good
from station.doctor.time_left import time_left
from station.matter.certificates.pem import CERTIFICATE, PEMInvalid, der_of

HTTP_PORTS = {"http": 80, "https": 443}
BROKER_WITHIN = 10.0
REDIRECTS, SERVER_ERRORS = range(300, 400), range(500, 600)


async def findings(mes: MESSection) -> AsyncIterator[Finding]:
    """Every check of `[mes]`. No secret is in a text, nor the query of an address, which may have one."""
    if mes.webhook is None and mes.mqtt is None and mes.route is None:
        yield good("MES", "This line has no MES.")
        return
    for finding in _secrets(mes):
        yield finding
    if mes.certificate is not None:
        yield _own_certificate(mes.certificate)
    try:
        tls = TLSFiles(mes.ca, mes.certificate, mes.key).newest
    except SecretUnusable as exc:
        yield bad("MES", f"{exc}.", "Mend the file; [mes] ca, certificate and key name them.")
        return
    async with Post.opened(tls) as post:
        for name, address, within in (
            ("webhook", mes.webhook, mes.answer_within),
            ("route", mes.route, mes.route_within),
        ):
            if address is not None:
                async for finding in _over_http(name, address, within, tls, post):
                    yield finding
    if mes.broker is not None:
        async for finding in _broker(mes, tls):
            yield finding


def _secrets(mes: MESSection) -> Iterator[Finding]:
    for check, setting, path, read, what in (
        (
            "MES secret",
            "secret_file",
            mes.secret_file,
            secret_file.signing_keys,
            "the secret of the webhook's signatures",
        ),
        ("MES password", "mqtt_password_file", mes.mqtt_password_file, secret_file.lines, "the broker's password"),
    ):
        if path is None:
            continue
        try:
            found = len(read(path))
        except SecretUnusable as exc:
            yield bad(check, f"{exc}.", f"Mend the file, or set [mes] {setting}.")
            continue
        both = ", and a second one while it changes" if found > 1 else ""
        yield good(check, f"{path} has {what}{both}, and only its owner can read it.")


def _own_certificate(path: Path) -> Finding:
    check, whose = "MES certificate", "This station's certificate for the MES"
    try:
        until = x509.load_der_x509_certificate(
            der_of(plain_files.read(path), *CERTIFICATE, first=True)
        ).not_valid_after_utc
    except (OSError, ValueError, PEMInvalid) as exc:
        return bad(check, f"{path} cannot be read: {exc}.", "Set [mes] certificate.")
    remedy = f"Put a new one, with its key, in the place of {path}: the station takes it up without a restart."
    return time_left(check, whose, until, remedy)


async def _over_http(name: str, address: str, within: float, tls: TLS, post: Post) -> AsyncIterator[Finding]:
    parts = urlsplit(address)
    host, port = parts.hostname or "", parts.port or HTTP_PORTS[parts.scheme]
    place = parts._replace(query="", fragment="").geturl()
    check, setting = f"MES {name}", f"[mes] {name}"
    reached = await _reached(check, setting, host, port, tls if parts.scheme == "https" else None, within)
    for finding in reached:
        yield finding
    if any(finding.check == check for finding in reached):
        return
    try:
        yield _answered(check, setting, place, await post.head(address, within))
    except NoAnswer as exc:
        remedy = f"Check certificate and key in [mes], and what {host} says of this station."
        yield bad(check, f"{place} does not answer: {shown(exc)}.", remedy)


def _answered(check: str, setting: str, place: str, reply: Reply) -> Finding:
    """A status says little, since the station posts and this was not a post."""
    if reply.status in REDIRECTS:
        text = f"{place} redirects elsewhere (HTTP {reply.status}), and the station follows no redirect."
        return advice(check, text, f"Set the address that answers as {setting}.")
    if reply.status in SERVER_ERRORS:
        text = f"{place} is reached, and is not well: HTTP {reply.status}."
        return advice(check, text, "Ask those who run the MES; what is to be told waits in the outbox.")
    return good(check, f"{place} answers (HTTP {reply.status} to a HEAD, which told it nothing).")


async def _broker(mes: MESSection, tls: TLS) -> AsyncIterator[Finding]:
    check, setting = "MES broker", "[mes] mqtt"
    assert mes.broker is not None
    host, port, speaks_tls = mes.broker
    spoken = tls if speaks_tls else None
    reached = await _reached(check, setting, host, port, spoken, BROKER_WITHIN)
    for finding in reached:
        yield finding
    if any(finding.check == check for finding in reached):
        return
    if find_spec("aiomqtt") is None:
        yield bad(check, "The library for MQTT is not there.", "pip install 'matter-provisioning-station[mqtt]'")
        return
    from station.adapters.outbox import mqtt  # its library is an extra

    try:
        await mqtt.try_out(mqtt.Broker(host, port, spoken, mes.mqtt_user, mes.mqtt_password_file))
    except NoAnswer as exc:
        remedy = (
            "Check mqtt_user, mqtt_password_file and certificate in [mes], and the rights that the broker gives them."
        )
        yield bad(check, f"The broker at {host}:{port} does not take the station: {shown(exc)}.", remedy)
        return
    yield good(check, f"The broker at {host}:{port} takes the station{_by_what(mes)}.")


def _by_what(mes: MESSection) -> str:
    return "" if mes.mqtt_user is None else f" as {mes.mqtt_user}"


async def _reached(check: str, setting: str, host: str, port: int, tls: TLS | None, within: float) -> list[Finding]:
    """What keeps the station from a server, under the name of the check; else only how long the server's certificate lasts."""
    try:
        until = await reach(host, port, None if tls is None else tls(), within)
    except Unresolved as exc:
        return [bad(check, f"{host} has no address here: {exc}.", f"Check {setting}, and this PC's name servers.")]
    except HandshakeFailed as exc:
        remedy = f"Check {setting} and [mes] ca, the clocks, and the server's certificate."
        return [bad(check, f"No TLS with {host}:{port}: {exc}.", remedy)]
    except Unreachable as exc:
        remedy = f"Check {setting}, the network, and whether the MES runs; until then what is to be told waits in the outbox."
        return [bad(check, f"{host}:{port} cannot be reached: {exc}.", remedy)]
    if until is None:
        return []
    whose = f"The certificate of {host}:{port}"
    return [time_left(f"{check}'s certificate", whose, until, "Tell those who run the MES.")]
