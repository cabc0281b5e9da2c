# SPDX-License-Identifier: Apache-2.0
"""A line whose PKI is the real OpenBao server, behind a gate that withholds answers."""

import http.client
import http.server
import json
import shutil
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from development_pki.attestation import Product
from development_pki.directory import open_or_make
from tests.builders.line import Line
from tests.commissioning.openbao import OpenBao

PRODUCT = Product.numbered(0xFFF1, 0x8004)
ANSWERED_WITHIN = 300.0


class Gate:
    """A server with the PKI's certificate that passes requests on, and holds those for certificates up before or after."""

    def __init__(self, bao: OpenBao) -> None:
        self.bao = bao
        self.before, self.after = threading.Event(), threading.Event()
        """Set while requests, or the answers to them, may pass."""
        self.waiting = Counter[str]()
        self.open()

    def open(self) -> None:
        self.before.set()
        self.after.set()

    @contextmanager
    def serving(self) -> Iterator[str]:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.bao.tls / "ca.pem")
        context.load_cert_chain(self.bao.tls / "server.pem", self.bao.tls / "server-key.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        handler = type("Handler", (_Passes,), {"gate": self})
        with _Server(("127.0.0.1", 0), handler) as server:
            server.context = context
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            try:
                yield f"https://127.0.0.1:{server.server_address[1]}"
            finally:
                self.open()
                server.shutdown()
                thread.join()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    context: ssl.SSLContext

    def finish_request(self, request: object, client_address: object) -> None:
        assert not isinstance(request, tuple)
        try:
            with self.context.wrap_socket(request, server_side=True) as wrapped:  # type: ignore[arg-type]  # a socket
                self.RequestHandlerClass(wrapped, client_address, self)  # type: ignore[arg-type]  # as the base class
        except (OSError, ValueError):  # the station was killed
            return


class _Passes(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    gate: ClassVar[Gate]

    def do_GET(self) -> None:
        self._pass_on()

    def do_POST(self) -> None:
        self._pass_on()

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        signs = "sign-verbatim" in self.path
        if signs:
            self._wait("before", self.gate.before)
        status, answer = self._asked(body)
        if signs:
            self._wait("after", self.gate.after)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _wait(self, where: str, event: threading.Event) -> None:
        if not event.is_set():
            self.gate.waiting[where] += 1
            event.wait(ANSWERED_WITHIN)

    def _asked(self, body: bytes) -> tuple[int, bytes]:
        bao = self.gate.bao
        context = ssl.create_default_context(cafile=bao.tls / "ca.pem")
        context.load_cert_chain(bao.tls / "station.pem", bao.tls / "station-key.pem")  # as whom the station logs in
        connection = http.client.HTTPSConnection("127.0.0.1", bao.port, context=context, timeout=ANSWERED_WITHIN)
        try:
            secret = {"X-Vault-Token": token} if (token := self.headers.get("X-Vault-Token")) else {}
            connection.request(self.command, self.path, body=body or None, headers=secret)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


class OpenBaoLine(Line):
    """`Line` with OpenBao in the development PKI's place."""

    url: ClassVar[str]
    files: ClassVar[Path]

    def start_pki(self, port: int = 0, *others: str) -> None:
        """Puts the files where the configuration looks for them; the server runs already."""
        assert (port, others) == (0, ())
        shutil.copytree(self.files, self.folder / "pki")
        (self.folder / "pki" / "ready.json").write_text(json.dumps({"url": self.url}))


@contextmanager
def standing(folder: Path, boards: int) -> Iterator[tuple[Line, Gate, str]]:
    """A line with so many boards, its server, and the gate between them with its URL."""
    files = folder / "files"
    files.parent.mkdir(parents=True, exist_ok=True)
    open_or_make(files, PRODUCT)
    with OpenBao.serving(folder / "bao", files) as bao:
        gate = Gate(bao)
        with gate.serving() as url:
            OpenBaoLine.url, OpenBaoLine.files = url, files
            with OpenBaoLine.standing(folder / "line", boards, time_scale=0.02) as line:
                yield line, gate, url


def bought(bao: OpenBao) -> Counter[str]:
    """Certificates by key, from the server's own list; without the authorities."""
    return Counter(_key(each) for each in bao.issued if not _is_authority(each))


def _key(certificate: x509.Certificate) -> str:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo).hex()


def _is_authority(certificate: x509.Certificate) -> bool:
    return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
