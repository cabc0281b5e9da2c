# SPDX-License-Identifier: Apache-2.0
"""Files from outside are read whole or refused; none can block the reader or fill the memory."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from station.adapters.pki import tls
from station.config import plain_files
from station.config.line import read_toml
from station.config.problems import ConfigurationInvalid
from station.faults.line import PKIFileUnusable, TrustUnreadable
from station.recipe.files import trust_folder

SIZE = 100


def listening(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


MAKERS: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "folder": Path.mkdir,
    "socket": listening,
    "device": lambda path: path.symlink_to("/dev/zero"),
}


@pytest.fixture(params=MAKERS)
def odd(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Something that has a file's name but is not a regular file."""
    monkeypatch.chdir(tmp_path)  # a socket's name may have 107 bytes
    path = Path("odd.pem")
    MAKERS[request.param](path)
    return path


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    """This holds for a file behind a link and for a file of the greatest size."""
    path, link = tmp_path / "file", tmp_path / "link"
    path.write_bytes(bytes(SIZE))
    link.symlink_to(path)
    assert (
        plain_files.read(path, SIZE)
        == plain_files.read(link, SIZE)
        == plain_files.read_stream(path, SIZE)
        == bytes(SIZE)
    )


def test_a_link_is_not_followed_where_another_program_may_have_made_it(tmp_path: Path) -> None:
    """The link may lead to a file that only this station may read."""
    path, link = tmp_path / "file", tmp_path / "link"
    path.write_bytes(b"secret")
    link.symlink_to(path)
    with pytest.raises(OSError, match="regular file"):
        plain_files.read(link, SIZE, follow_links=False)


@pytest.mark.parametrize("read", [plain_files.read, plain_files.read_stream])
def test_a_file_that_is_too_large_is_refused(read: Callable[[Path, int], bytes], tmp_path: Path) -> None:
    """The message has the limit, and no more bytes than the limit are read."""
    path = tmp_path / "file"
    path.touch()
    os.truncate(path, 1 << 40)
    with pytest.raises(OSError, match="has more than 100 bytes"):
        read(path, SIZE)


def test_what_is_no_file_is_refused_at_once(odd: Path) -> None:
    """Reading a pipe without a writer would wait for ever."""
    with pytest.raises(OSError, match=r"is (not a regular file|a folder)") as caught:
        plain_files.read(odd)
    assert caught.value.filename == str(odd)


def test_a_command_may_be_given_a_pipe() -> None:
    """A shell makes a pipe from `<(…)`."""
    readable, writable = os.pipe()
    try:
        os.write(writable, b"12345678\n")
        os.close(writable)
        assert plain_files.read_stream(Path(f"/dev/fd/{readable}")) == b"12345678\n"
    finally:
        os.close(readable)


def test_a_device_does_not_fill_memory() -> None:
    """A device such as /dev/zero has no end."""
    with pytest.raises(OSError, match="has more than 100 bytes"):
        plain_files.read_stream(Path("/dev/zero"), SIZE)


def test_a_configuration_that_is_no_file_is_told(odd: Path) -> None:
    """Recipe and manifest are read the same way."""
    with pytest.raises(ConfigurationInvalid, match=r"cannot be read: is (not a regular file|a folder)"):
        read_toml(odd)


def test_a_certificate_of_the_line_that_is_no_file_is_told(odd: Path) -> None:
    """The daemon reads the certificate at its start, and OpenSSL would block."""
    with pytest.raises(PKIFileUnusable, match=r"cannot be read: is (not a regular file|a folder)"):
        tls.check_station_certificate(odd)


def test_a_trust_store_with_what_is_no_file_is_told(odd: Path) -> None:
    """The message names the entry."""
    for name in ("paa", "cd-signers"):
        Path(name).mkdir()
    odd.rename(Path("paa") / odd)
    with pytest.raises(TrustUnreadable, match=r"odd\.pem: is (not a regular file|a folder)"):
        trust_folder.load(Path())
