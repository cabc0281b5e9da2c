# SPDX-License-Identifier: Apache-2.0
"""The programs and tokens that kinds of PKI need, on this machine."""

from collections.abc import Callable

import pytest

from tests.doctor.line_files import LINE, Files, Spoiler, file, put

SERVER = LINE.partition("[pki]\n")[2].partition("pai =")[0]


def kind(name: str, table: str, server: str = "") -> Spoiler:
    def spoil(files: Files) -> None:
        put(SERVER, f'kind = "{name}"\n{server}')(files)
        put("[board]", f"{table}\n[board]")(files)

    return spoil


def program(files: Files, mode: int) -> None:
    kind("exec", '[pki.exec]\ncommand = ["enrol", "x"]')(files)
    file("enrol")(files)
    (files.folder / "enrol").chmod(mode)


def token(files: Files, mode: int) -> None:
    server = 'url = "https://pki.factory.test"\nca = "pki/tls/ca.pem"\n'
    kind("openbao", '[pki.openbao]\ntoken_file = "token"', server)(files)
    file("token")(files)
    (files.folder / "token").chmod(mode)


def told_of(files: Files) -> list[str]:
    """The only mistake, besides that of a port, which shows that there is no other."""
    put("usb-0:1.2", "usb-0:1.1")(files)
    return [each for each in files.told() if "two slots have the path" not in each]


@pytest.mark.parametrize(
    ("make", "mode", "text"),
    [
        (program, 0o755, None),
        (program, 0o644, "pki.exec.command: enrol may not be executed by this account, expected the program that"),
        (token, 0o600, None),
        (token, 0o640, "pki.openbao.token_file: token can be used by other accounts"),
    ],
)
def test_what_a_kind_needs_is_looked_at(
    files: Files, make: Callable[[Files, int], None], mode: int, text: str | None
) -> None:
    """A good line has no mistake; each mistake names its setting."""
    make(files, mode)
    told = told_of(files)
    if text is None:
        assert told == []
    else:
        assert len(told) == 1
        assert text in told[0]


def test_a_program_that_is_not_there_is_told(files: Files) -> None:
    """Before a board needs it."""
    program(files, 0o755)
    (files.folder / "enrol").unlink()
    (told,) = told_of(files)
    assert "pki.exec.command: there is no file enrol" in told
