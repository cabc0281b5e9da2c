# SPDX-License-Identifier: Apache-2.0
"""The main job, end to end: the demonstration's results in flash, ledger and PKI."""

import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from station.factory_data.flat_tlv import FactoryData, Tag, decode
from tests.builders.station_demo import PATIENT_DEADLINES, Demonstration, demonstrate

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]

BOARDS = 64


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Demonstration:
    done = demonstrate(tmp_path_factory.mktemp("demo"), "--boards", str(BOARDS), deadlines=PATIENT_DEADLINES)
    assert done.exit_status == 0, done.output
    return done


def test_a_demonstration_has_the_programmer_that_was_asked_for(tmp_path: Path) -> None:
    """The ledger has the programmer's version; another test runs the procedure with each version."""
    done = demonstrate(tmp_path, "--boards", "1", "--programmer-version", "2.4")
    assert done.exit_status == 0, done.output
    (transcript,) = (done.folder / "transcripts").rglob("*.txt")
    assert "STM32CubeProgrammer v2.4.0" in transcript.read_text()


def flashes(run: Demonstration) -> dict[str, FactoryData]:
    """The content of each board's external flash, by probe."""
    return {folder.name: decode((folder / "qspi.bin").read_bytes()) for folder in (run.folder / "boards").iterdir()}


def test_every_board_passes(run: Demonstration) -> None:
    """Sixty-four boards are provisioned at the same time."""
    assert [board["verdict"] for board in run.report["boards"]] == ["pass"] * BOARDS


@pytest.mark.parametrize(
    "tags",
    [
        [Tag.SERIAL_NUMBER],
        [Tag.SPAKE2_SETUP_PASSCODE, Tag.SETUP_DISCRIMINATOR],
        [Tag.SPAKE2_SALT],
        [Tag.SPAKE2_VERIFIER],
        [Tag.ROTATING_DEVICE_ID],
        [Tag.DEVICE_ATTESTATION_PUB_KEY],
        [Tag.DEVICE_ATTESTATION_CERTIFICATE],
    ],
    ids=lambda tags: " with ".join(tag.name.lower() for tag in tags),
)
def test_no_two_units_are_alike(run: Demonstration, tags: list[Tag]) -> None:
    """The test compares the boards' flash, not the station's report."""
    assert len({tuple(data.records[tag] for tag in tags) for data in flashes(run).values()}) == BOARDS


def test_flash_report_and_pki_tell_of_the_same_certificates(run: Demonstration) -> None:
    """The DAC in flash is the one that the PKI issued and the station reports."""
    issued = {str(line["serial_number"]): str(line["certificate"]).encode() for line in run.lines("pki/issued.jsonl")}
    assert len(issued) == BOARDS
    data = flashes(run)
    for board in run.report["boards"]:
        certificate = x509.load_pem_x509_certificate(issued[str(board["dac_serial_number"])])
        in_flash = data[str(board["probe"])].records[Tag.DEVICE_ATTESTATION_CERTIFICATE]
        assert certificate.public_bytes(serialization.Encoding.DER) == in_flash


def test_openssl_accepts_every_certificate(run: Demonstration, tmp_path: Path) -> None:
    """openssl gives a second opinion that shares no code with the station."""
    pki = run.folder / "pki"
    for number, data in enumerate(flashes(run).values()):
        dac = tmp_path / f"{number}.pem"
        certificate = x509.load_der_x509_certificate(data.records[Tag.DEVICE_ATTESTATION_CERTIFICATE])
        dac.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    command = ["openssl", "verify", "-x509_strict", "-CAfile", str(pki / "paa.pem"), "-untrusted", str(pki / "pai.pem")]
    done = subprocess.run([*command, *map(str, tmp_path.glob("*.pem"))], capture_output=True, text=True, check=False)
    assert done.stdout.count(": OK") == BOARDS, done.stdout + done.stderr


def test_the_operational_image_stands_where_it_belongs(run: Demonstration) -> None:
    """Every board's flash has the image byte for byte."""
    image = (Path(__file__).parents[2] / "firmware_images" / "operational-flash.bin").read_bytes()
    for folder in (run.folder / "boards").iterdir():
        assert (folder / "internal.bin").read_bytes()[: len(image)] == image


def test_three_invocations_make_a_unit(run: Demonstration) -> None:
    """Recognition; factory data with provisioner; read-back with operational firmware. Each costs most of a second."""
    invocations = [line for line in run.lines("bench.jsonl") if line["event"] == "invocation"]
    assert len(invocations) == 3 * BOARDS


def test_no_secret_is_in_logs_or_arguments(run: Demonstration) -> None:
    """The test searches passcodes, salts, verifiers and private keys of all units, in every readable form."""
    texts = "\n".join(
        path.read_text(errors="replace")
        for path in [*run.folder.glob("logs/*"), run.folder / "bench.jsonl", *run.folder.glob("transcripts/**/*")]
        if path.is_file()
    )
    assert "attempt.finished" in texts
    for data in flashes(run).values():
        passcode = int.from_bytes(data.records[Tag.SPAKE2_SETUP_PASSCODE], "little")
        assert f"{passcode:08d}" not in texts
        assert data.records[Tag.ROTATING_DEVICE_ID].decode() not in texts
        for tag in (Tag.SPAKE2_SALT, Tag.SPAKE2_VERIFIER, Tag.DEVICE_ATTESTATION_PRIV_KEY):
            secret = data.records[tag].hex()
            assert secret[:16] not in texts.lower()
            assert secret[16:32] not in texts.lower()


def test_one_line_of_the_log_tells_each_verdict(run: Demonstration) -> None:
    """The line has the seconds of every step."""
    finished = [line for line in run.lines("logs/station.jsonl") if line["event"] == "attempt.finished"]
    assert len(finished) == BOARDS
    assert all(line["verdict"] == "pass" and len(dict(line["steps"])) == 8 for line in finished)  # type: ignore[call-overload]  # JSON


def test_no_file_with_secrets_outlives_its_invocation(run: Demonstration) -> None:
    """The files that the programmer wrote or read are deleted."""
    named = {
        Path(word)
        for line in run.lines("bench.jsonl")
        if line["event"] == "invocation"
        for word in list(line["argv"])  # type: ignore[call-overload]  # JSON
        if str(word).endswith(".bin")
    }
    assert len(named) == 4 * BOARDS
    assert not [path for path in named if path.exists()]
