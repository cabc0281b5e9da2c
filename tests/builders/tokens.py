# SPDX-License-Identifier: Apache-2.0
"""PKCS#11 tokens in software: SoftHSM's, which `tools/softhsm` installs."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
)
PIN = "48151623"


AUDIT_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
LABELS = ("station", "twice", "twice", "keyless", "guessed", "audit")


class Tokens:
    """SoftHSM's tokens by their label: `station` and `guessed` have an RSA key `station-key`, `audit` an Ed25519 key `audit-key`."""

    def __init__(self, folder: Path) -> None:
        self.module = next((path for path in map(Path, MODULES) if path.exists()), None)
        assert self.module is not None, "tools/softhsm installs it"
        self.folder = folder
        self.pin = folder / "pin"
        self.pin.write_text(f"{PIN}\n")
        self.pin.chmod(0o600)

    @classmethod
    @contextmanager
    def standing(cls, folder: Path) -> Iterator["Tokens"]:
        """All of them, once a process: the module reads its configuration and finds its tokens when it is first used."""
        made = cls(folder)
        (folder / "tokens").mkdir()
        (folder / "softhsm2.conf").write_text(
            f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\n"
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SOFTHSM2_CONF", str(folder / "softhsm2.conf"))
            for label in LABELS:
                _softhsm("--init-token", "--free", "--label", label, "--so-pin", "11111111", "--pin", PIN)
            for token in ("station", "guessed", "audit"):
                made._import(token, "station-key", rsa.generate_private_key(65537, 2048))
            made._import("audit", "audit-key", AUDIT_KEY)
            yield made

    def uri(self, label: str, pin: Path | None = None, key: str = "station-key") -> str:
        return f"pkcs11:token={label};object={key}?module-path={self.module}&pin-source=file:{pin or self.pin}"

    def _import(self, token: str, label: str, key: Ed25519PrivateKey | RSAPrivateKey) -> None:
        file = self.folder / f"{token}-{label}.pem"
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        _softhsm("--import", str(file), "--token", token, "--label", label, "--id", label.encode().hex(), "--pin", PIN)


def _softhsm(*arguments: str) -> None:
    subprocess.run(["softhsm2-util", *arguments], check=True, capture_output=True)
