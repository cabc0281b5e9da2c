# SPDX-License-Identifier: Apache-2.0
"""The commands of the development PKI: output, files and exit statuses."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from development_pki.__main__ import app
from development_pki.authority import opened
from development_pki.directory import READY, open_or_make
from development_pki.faults import Fault, Faults
from tests.development_pki.pki_client import PRODUCT, new_key


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})
    return result.exit_code, result.output


@pytest.mark.parametrize("ended_by", [signal.SIGTERM, signal.SIGINT])
def test_serve_says_when_it_is_ready_and_stops_cleanly(tmp_path: Path, ended_by: signal.Signals) -> None:
    """Output and ready.json have the same URL; a signal ends the server with status 0 and removes ready.json."""
    directory = tmp_path / "pki"
    command = [sys.executable, "-m", "development_pki", "serve", "--dir", str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        line = server.stdout.readline()
        ready = json.loads((directory / READY).read_text())
        assert line == f"development-pki: ready at {ready['url']}\n"
        assert ready["pid"] == server.pid
        server.send_signal(ended_by)
        assert server.communicate() == ("", "")
    assert server.returncode == 0
    assert not (directory / READY).exists()


def test_issued_lists_one_certificate_a_line(tmp_path: Path) -> None:
    """The list has serial number, key, subject and station."""
    with opened(tmp_path / "pki", PRODUCT) as authority:
        dacs = [authority.issue(new_key().public_key(), f"station {number}", Faults()) for number in (1, 2)]
    status, output = run("issued", "--dir", str(tmp_path / "pki"))
    assert status == 0
    assert [line.split()[1] for line in output.splitlines()] == [f"{dac.serial_number:X}" for dac in dacs]
    assert output.splitlines()[1].endswith("station 2")


def test_issued_without_a_directory_ends_with_3(tmp_path: Path) -> None:
    """Exit status 3 is for a faulty environment."""
    status, output = run("issued", "--dir", str(tmp_path / "nowhere"))
    assert (status, "nowhere" in output) == (3, True)


def test_serve_of_half_a_directory_ends_with_3(tmp_path: Path) -> None:
    """The message names the missing files."""
    open_or_make(tmp_path / "pki", PRODUCT)
    (tmp_path / "pki" / "pai-key.pem").unlink()
    status, output = run("serve", "--dir", str(tmp_path / "pki"))
    assert status == 3
    assert "pai-key.pem missing" in output


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (("--vendor-id", "0x1049"), "only the test vendor ids"),
        (("--vendor-id", "acme"), "acme"),
        (("--product-id", "0"), "product id"),
        (("--host", "0.0.0.0"), "0.0.0.0"),  # noqa: S104  refused is what it is
        (("--fault", "mouse=3"), "no such fault"),
        (("--fault", "busy=-5"), "how many times"),
    ],
)
def test_wrong_usage_ends_with_2(tmp_path: Path, wrong: tuple[str, str], says: str) -> None:
    """The message names the mistake, and the command makes no file."""
    status, output = run("serve", "--dir", str(tmp_path / "pki"), *wrong)
    assert status == 2
    assert says in output
    assert not (tmp_path / "pki").exists()


def test_help_names_every_fault() -> None:
    status, output = run("serve", "--help")
    assert status == 0
    assert [fault for fault in Fault if f"{fault.name.lower()}:" not in output] == []
