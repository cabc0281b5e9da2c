# SPDX-License-Identifier: Apache-2.0
"""The authority's directory: made once, kept, and never completed with new keys."""

import stat
from pathlib import Path

import pytest
from cryptography import x509

from development_pki.attestation import Product
from development_pki.authority import issued_by, opened
from development_pki.directory import FILES, ISSUED, DirectoryUnusable, open_or_make
from development_pki.faults import Faults
from tests.development_pki.pki_client import PRODUCT, new_key

STATION = "TEST station"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    made = tmp_path / "made" / "pki"
    open_or_make(made, PRODUCT)
    return made


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_only_the_owner_can_read(directory: Path) -> None:
    """Directories have mode 0700 and files 0600, keys above all; no temporary file is left."""
    found = {path.relative_to(directory).as_posix(): mode(path) for path in directory.rglob("*")}
    assert found == dict.fromkeys(FILES, 0o600) | {"tls": 0o700}
    assert mode(directory) == 0o700


def test_a_second_start_keeps_the_authority(directory: Path) -> None:
    """PAA and PAI are made once."""
    before = {name: (directory / name).read_bytes() for name in FILES}
    open_or_make(directory, PRODUCT)
    assert {name: (directory / name).read_bytes() for name in FILES} == before


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(directory: Path, name: str) -> None:
    """An incomplete directory is refused, not completed with new keys."""
    (directory / name).unlink()
    with pytest.raises(DirectoryUnusable, match=f"half made, {name} missing"):
        open_or_make(directory, PRODUCT)
    assert not (directory / name).exists()


def test_a_directory_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    """A directory with other content is refused and not changed."""
    tmp_path.chmod(0o755)
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(DirectoryUnusable, match="other things"):
        open_or_make(tmp_path, PRODUCT)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    assert mode(tmp_path) == 0o755


def test_another_product_is_refused(directory: Path) -> None:
    """A PAI is bound to one vendor and product."""
    with pytest.raises(DirectoryUnusable, match="serves vendor and product FFF1/8004, not FFF1/8005"):
        open_or_make(directory, Product.numbered(0xFFF1, 0x8005))


@pytest.mark.parametrize("name", ["paa.pem", "pai.pem", "pai-key.pem"])
def test_files_of_another_authority_are_refused(directory: Path, tmp_path: Path, name: str) -> None:
    """Files that do not belong together are noticed at the start."""
    open_or_make(tmp_path / "other", PRODUCT)
    (directory / name).write_bytes((tmp_path / "other" / name).read_bytes())
    with pytest.raises(DirectoryUnusable, match="belong together"):
        open_or_make(directory, PRODUCT)


@pytest.mark.parametrize("name", ["paa.pem", "pai.pem", "pai-key.pem"])
def test_unreadable_files_are_refused(directory: Path, name: str) -> None:
    """A file that is not PEM is refused with a message."""
    (directory / name).write_text("-----BEGIN NOTHING-----\n")
    with pytest.raises(DirectoryUnusable, match="belong together"):
        open_or_make(directory, PRODUCT)


def test_one_authority_at_a_time(directory: Path) -> None:
    """A second server on the same directory is refused, until the first has ended."""
    with opened(directory, PRODUCT), pytest.raises(DirectoryUnusable, match="being served"), opened(directory, PRODUCT):
        pytest.fail("a second server was let in")
    with opened(directory, PRODUCT) as authority:
        assert authority.product == PRODUCT


def test_a_torn_line_is_dropped_at_the_next_start(directory: Path) -> None:
    """A line torn by a power cut belongs to a certificate that nobody got; the lines before and after it stay whole."""
    with opened(directory, PRODUCT) as authority:
        authority.issue(new_key().public_key(), STATION, Faults())
    with (directory / ISSUED).open("ab") as issued:
        issued.write(b'{"time": 17')
    assert len(issued_by(directory)) == 1
    with opened(directory, PRODUCT) as authority:
        authority.issue(new_key().public_key(), STATION, Faults())
    assert len(issued_by(directory)) == 2


def test_what_is_issued_can_be_read_at_once(directory: Path) -> None:
    """A certificate is on the list before the caller gets it."""
    with opened(directory, PRODUCT) as authority:
        dac = authority.issue(new_key().public_key(), STATION, Faults())
        (listed,) = issued_by(directory)
    assert x509.load_pem_x509_certificate(listed["certificate"].encode()) == dac
