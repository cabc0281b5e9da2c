"""A trust store as a folder: `paa/` and `cd-signers/`, certificates in DER or PEM; one that cannot be read is left out, and named."""

from pathlib import Path

from station.config import plain_files
from station.faults.line import TrustUnreadable
from station.matter.certificates.trust import TrustStore

SHIPPED = Path(__file__).resolve().parents[3] / "config" / "trust"
ENDINGS = frozenset({".der", ".pem", ".cer", ".crt"})


def load(folder: Path) -> TrustStore:
    """The store in a folder; raises `TrustUnreadable` when there is nothing to go by."""
    paas, signers = (_files(folder / name) for name in ("paa", "cd-signers"))
    store = TrustStore.of(paas, signers)
    if not store.paas or not store.cd_signers:
        raise TrustUnreadable(f"{folder} has {len(store.paas)} roots in paa/, {len(store.cd_signers)} in cd-signers/")
    return store


def _files(folder: Path) -> dict[str, bytes]:
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS)
        return {path.name: plain_files.read(path) for path in paths}
    except OSError as exc:
        raise TrustUnreadable(f"{exc.filename}: {exc.strerror}") from exc
