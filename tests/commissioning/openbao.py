# SPDX-License-Identifier: Apache-2.0
"""The real OpenBao server for tests, with the files of a development PKI: its PAI issues, its TLS authority vouches for both sides."""

import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

STARTED_WITHIN = 300.0
PROGRAM = Path(__file__).parent / ".venv" / "bin" / "bao"

Answer = dict[str, object]

POLICY = """
path "pki/sign-verbatim"               { capabilities = ["update"] }
path "pki/sign-verbatim/*"             { capabilities = ["update"] }
path "pki/issuer/+/sign-verbatim"      { capabilities = ["update"] }
path "pki/issuer/+/sign-verbatim/*"    { capabilities = ["update"] }
path "pki/certs/detailed"              { capabilities = ["list"] }
path "pki/roles/*"                     { capabilities = ["read"] }
"""


class OpenBaoFailed(Exception):
    """The server did not start, or refused what a test asked of it."""


@dataclass
class OpenBao:
    """A server with file storage, unsealed, whose `pki` mount issues under the development PKI's PAI."""

    folder: Path
    tls: Path
    """The folder with ca, server and station certificates."""
    port: int
    process: subprocess.Popen[bytes] | None = None
    root: str = ""
    unseal_key: str = ""

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @classmethod
    @contextmanager
    def serving(cls, folder: Path, pki: Path) -> Iterator["OpenBao"]:
        """Starts a server that issues under the PAI of this development PKI's folder, and kills it when the block ends."""
        folder.mkdir(parents=True)
        bao = cls(folder, pki / "tls", _free_port())
        bao.write_configuration()
        try:
            bao.start()
            bao.initialise()
            bao.furnish(pki)
            yield bao
        finally:
            bao.kill()

    def write_configuration(self) -> None:
        """Mutual TLS, and storage on the disk."""
        values = {
            "storage": {"raft": {"path": str(self.folder), "node_id": "test"}},
            "listener": {
                "tcp": {
                    "address": f"127.0.0.1:{self.port}",
                    "tls_cert_file": str(self.tls / "server.pem"),
                    "tls_key_file": str(self.tls / "server-key.pem"),
                    "tls_client_ca_file": str(self.tls / "ca.pem"),
                    "tls_require_and_verify_client_cert": True,
                }
            },
            "api_addr": self.url,
            "cluster_addr": f"https://127.0.0.1:{_free_port()}",
            "ui": False,
        }
        (self.folder / "bao.json").write_text(json.dumps(values))

    def start(self) -> None:
        with (self.folder / "bao.out").open("ab") as output:
            self.process = subprocess.Popen(
                [PROGRAM, "server", f"-config={self.folder / 'bao.json'}"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + STARTED_WITHIN
        while True:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise OpenBaoFailed((self.folder / "bao.out").read_text()[-2000:])
            try:
                self.ask("GET", "sys/seal-status")
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)
            else:
                return

    def initialise(self) -> None:
        keys = self.ask("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
        shares, self.root = keys["keys"], str(keys["root_token"])
        assert isinstance(shares, list)
        self.unseal_key = str(shares[0])
        self.unseal()

    def furnish(self, pki: Path) -> None:
        """The mounts: the PAI at `pki`, and the station's certificate as a login at `cert`."""
        self.ask("POST", "sys/mounts/pki", {"type": "pki"})
        self.ask("POST", "sys/mounts/pki/tune", {"max_lease_ttl": "876000h"})
        bundle = (pki / "pai-key.pem").read_text() + (pki / "pai.pem").read_text() + (pki / "paa.pem").read_text()
        self.ask("POST", "pki/config/ca", {"pem_bundle": bundle})
        self.ask("PUT", "sys/policies/acl/station", {"policy": POLICY})
        self.ask("POST", "sys/auth/cert", {"type": "cert"})
        station = (self.tls / "station.pem").read_text()
        self.ask("POST", "auth/cert/certs/station", {"certificate": station, "token_policies": "station"})

    def ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Answer:
        """One request of the administrator; raises `OpenBaoFailed` for a refusal."""
        status, answer = self.asked(method, path, body, self.root)
        if status >= 400:
            raise OpenBaoFailed(f"{method} {path}: {status} {answer}")
        return answer

    def asked(
        self, method: str, path: str, body: Mapping[str, object] | None = None, token: str = ""
    ) -> tuple[int, Answer]:
        context = ssl.create_default_context(cafile=self.tls / "ca.pem")
        context.load_cert_chain(self.tls / "station.pem", self.tls / "station-key.pem")
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=context, timeout=STARTED_WITHIN)
        try:
            connection.request(
                method,
                f"/v1/{path}",
                body=None if body is None else json.dumps(body),
                headers={"X-Vault-Token": token} if token else {},
            )
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        return response.status, json.loads(text) if text.strip() else {}

    def new_token(self, ttl: str = "1h") -> str:
        """A token with the station's rights."""
        answer = self.ask("POST", "auth/token/create", {"policies": ["station"], "ttl": ttl, "no_parent": True})
        auth = answer["auth"]
        assert isinstance(auth, dict)
        return str(auth["client_token"])

    def seal(self) -> None:
        self.ask("PUT", "sys/seal")

    def unseal(self) -> None:
        """Returns when the server has become the active one of its cluster, in which it is alone."""
        self.ask("PUT", "sys/unseal", {"key": self.unseal_key})
        deadline = time.monotonic() + STARTED_WITHIN
        while self.asked("GET", "sys/health")[0] != 200:
            if time.monotonic() > deadline:
                raise OpenBaoFailed("it does not become active")
            time.sleep(0.05)

    def revoke(self, token: str) -> None:
        self.ask("POST", "auth/token/revoke", {"token": token})

    def revoke_logins(self) -> None:
        """Makes the tokens of all logins by certificate invalid."""
        self.ask("POST", "sys/leases/revoke-prefix/auth/cert/login", {"sync": True})

    @contextmanager
    def quota(self, rate: float) -> Iterator[None]:
        """Allows so many requests a second to the mount in the block."""
        self.ask("POST", "sys/quotas/rate-limit/test", {"path": "pki/", "rate": rate})
        try:
            yield
        finally:
            self.ask("DELETE", "sys/quotas/rate-limit/test")

    @property
    def issued(self) -> list[x509.Certificate]:
        """Everything that the mount has issued, from its own list."""
        status, answer = self.asked("LIST", "pki/certs", token=self.root)
        if status == 404:
            return []
        data = answer["data"]
        assert isinstance(data, dict)
        return [self._certificate(str(each)) for each in data["keys"]]

    def _certificate(self, serial_number: str) -> x509.Certificate:
        data = self.ask("GET", f"pki/cert/{serial_number}")["data"]
        assert isinstance(data, dict)
        return x509.load_pem_x509_certificate(str(data["certificate"]).encode())

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])
