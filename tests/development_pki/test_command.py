# SPDX-License-Identifier: Apache-2.0
"""The commands of the development PKI: output, files and exit statuses."""

import base64
import hashlib
import json
import signal
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from typer.testing import CliRunner

from development_pki.__main__ import app
from development_pki.authority import opened
from development_pki.directory import READY, open_or_make
from development_pki.faults import Fault, Faults, change_from
from tests.development_pki.pki_client import PRODUCT, connected, csr, new_key


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


async def test_the_lists_can_be_had_as_json(tmp_path: Path) -> None:
    """Both print a line for each object, with the keys that other programs read, and number on over a restart."""
    directory, bodies = tmp_path / "pki", [base64.encodebytes(csr(new_key())) for _ in range(2)]
    async with connected(directory) as client:
        assert (await client.enrol(b"bad!"))[0] == 400
        await client.set_faults({"drop_after_issue": 1})
        with pytest.raises((aiohttp.ClientError, ConnectionError)):
            await client.enrol(bodies[0])
    async with connected(directory) as client:
        assert (await client.enrol(bodies[1]))[0] == 200
        issued = client.issued

    status, output = run("issued", "--jsonl", "--dir", str(directory))
    assert status == 0
    listed = [json.loads(line) for line in output.splitlines()]
    assert listed == [{**issued[0], "fate": "withheld"}, {**issued[1], "fate": "sent"}]
    assert [each["request"] for each in listed] == [2, 3]
    assert {each["station"] for each in listed} == {"TEST station"}
    keys = [hashlib.sha256(public_key(body)).hexdigest() for body in bodies]
    assert [each["key_sha256"] for each in listed] == keys

    status, output = run("requests", "--jsonl", "--dir", str(directory))
    assert status == 0
    asked = [json.loads(line) for line in output.splitlines()]
    assert [each["request"] for each in asked] == [1, 2, 3]
    assert [each["key_sha256"] for each in asked] == [None, *keys]
    assert [(each["status"], each["fate"]) for each in asked] == [(400, "refused"), (None, "withheld"), (200, "sent")]
    assert [each["serial_numbers"] for each in asked] == [[], *([each["serial_number"]] for each in issued)]
    shown = x509.load_pem_x509_certificate((directory / "tls" / "station.pem").read_bytes())
    assert {each["station_sha256"] for each in asked} == {shown.fingerprint(hashes.SHA256()).hex()}


def public_key(body: bytes) -> bytes:
    request = x509.load_der_x509_csr(base64.b64decode(body))
    return request.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


async def test_requests_lists_one_enrolment_a_line(tmp_path: Path) -> None:
    """The list has number, status, fate and serial number; of what did not come it has dashes."""
    async with connected(tmp_path / "pki") as client:
        await client.enrol(b"bad!")
        dac = await client.dac(csr(new_key()))
    status, output = run("requests", "--dir", str(tmp_path / "pki"))
    assert status == 0
    refused, sent = (line.split() for line in output.splitlines())
    assert [refused[0], *refused[2:]] == ["#1", "-", "400", "refused", "-", "TEST", "station"]
    assert [sent[0], *sent[3:]] == ["#2", "200", "sent", f"{dac.serial_number:X}", "TEST", "station"]


@pytest.mark.parametrize("command", ["issued", "requests"])
def test_a_list_without_a_directory_ends_with_3(tmp_path: Path, command: str) -> None:
    """Exit status 3 is for a faulty environment."""
    status, output = run(command, "--dir", str(tmp_path / "nowhere"))
    assert (status, "nowhere" in output) == (3, True)


def test_a_directory_that_was_never_served_has_empty_lists(tmp_path: Path) -> None:
    """A list is missing only if the directory is."""
    open_or_make(tmp_path / "pki", PRODUCT)
    assert [run(command, "--dir", str(tmp_path / "pki")) for command in ("issued", "requests")] == [(0, "")] * 2


@pytest.mark.parametrize(
    ("option", "set_to"),
    [
        ("busy", {"left": 1, "fired": 0, "seconds": None, "form": "seconds"}),
        ("busy=3", {"left": 3, "fired": 0, "seconds": None, "form": "seconds"}),
        ("busy=-1,seconds=20,form=date", {"left": -1, "fired": 0, "seconds": 20.0, "form": "date"}),
    ],
)
def test_an_option_sets_a_switch(option: str, set_to: dict[str, object]) -> None:
    """Number and parameters come in one text."""
    faults = Faults()
    faults.set(dict([change_from(option)]))
    assert faults.shown["busy"] == set_to


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
        (("--fault", "busy=often"), "often"),
        (("--fault", "busy=1,days=3"), "no parameter days"),
        (("--fault", "busy=1,form=late"), "form is one of"),
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
