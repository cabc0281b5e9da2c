# SPDX-License-Identifier: Apache-2.0
"""A partner's script in the station's own terms: the board's key is certified by the partner's PKI, spoken to by EST (RFC 7030).

`partner.toml` beside this file says where the PKI is: url, ca, certificate, key. See docs/partner-scripts.md.
"""

import base64
import secrets
import ssl
import tomllib
from pathlib import Path

import aiohttp
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import load_der_pkcs7_certificates

from station.domain.credentials import Credentials
from station.partner import Refused, Unit


async def provision(unit: Unit) -> None:
    """The board makes its key and asks; the PKI certifies it; the board stores the certificates and proves the key."""
    async with unit.board() as board:
        hello = await board.hello()
        if (hello.key_storage == "secure") is not unit.production:
            raise Refused(f"the firmware keeps the key in {hello.key_storage}")
        credentials = await _certified(await board.make_csr())
        await board.store(credentials)
        nonce = secrets.token_bytes(32)
        credentials.check_possession(nonce, await board.prove(nonce), "deliver")
        unit.log(f"DAC {credentials.dac_serial_number} stored")


async def _certified(csr: bytes) -> Credentials:
    settings = tomllib.loads(Path(__file__).with_name("partner.toml").read_text(encoding="utf-8"))
    context = ssl.create_default_context(cafile=settings["ca"])
    context.load_cert_chain(settings["certificate"], settings["key"])
    headers = {"Content-Type": "application/pkcs10", "Content-Transfer-Encoding": "base64"}
    async with aiohttp.ClientSession(settings["url"].rstrip("/") + "/", raise_for_status=True) as session:
        async with session.post("simpleenroll", data=base64.encodebytes(csr), headers=headers, ssl=context) as answer:
            [dac] = _certificates(await answer.read())
        async with session.get("cacerts", ssl=context) as answer:
            issuers = [each for each in _certificates(await answer.read()) if each.subject == dac.issuer]
    if len(issuers) != 1:
        raise Refused(f"{len(issuers)} certificates of the PKI could have signed the DAC")
    return Credentials(dac.public_bytes(Encoding.DER), issuers[0].public_bytes(Encoding.DER))


def _certificates(body: bytes) -> list[x509.Certificate]:
    return load_der_pkcs7_certificates(base64.b64decode(body))
