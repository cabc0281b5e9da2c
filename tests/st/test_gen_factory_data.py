# SPDX-License-Identifier: Apache-2.0
"""`gen-factory-data` as a process, against the virtual bench, with ST's command lines."""

import hashlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from station.factory_data import flat_tlv, st_json
from station.factory_data.flat_tlv import Tag
from tests.builders.commands import bench, station

ROOT = Path(__file__).parents[2]
VECTORS = ROOT / "tests" / "vectors" / "st"
IMAGES = ROOT / "firmware_images"
ST_MANNER = ROOT / "tests" / "st" / "scripts" / "st_manner.py"
FULL = flat_tlv.encode(st_json.from_json((VECTORS / "Full_FactoryData.json").read_bytes()))
DATA_OFFSET = 0x1C0000

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]


@dataclass
class Desk:
    """A laboratory's desk: a folder with inputs, and a bench."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(ROOT)}

    def command(self, line: str, *more: str, bench: bool = True) -> list[str]:
        places = ["-pp", "bench/STM32CubeProgrammer/bin", "--devices", "bench/dev/serial", "--state", "state"]
        given = [*line.split(), *more, *(places if bench else [])]
        return [sys.executable, "-m", "station", "gen-factory-data", *given]

    def run(self, line: str, *more: str, bench: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(line, *more, bench=bench),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
        )

    def flash(self, probe: str, size: int = flat_tlv.BLOCK_SIZE) -> bytes:
        """The content of the flash at the address of the factory data."""
        content = (self.folder / "bench" / "boards" / probe / "qspi.bin").read_bytes()
        return content[DATA_OFFSET : DATA_OFFSET + size]

    @property
    def probes(self) -> list[str]:
        """The probes in the order of their ports."""
        links = (self.folder / "bench" / "dev" / "serial" / "by-id").iterdir()
        return [link.name.split("_")[-1].split("-")[0] for link in sorted(links, key=lambda link: link.readlink().name)]

    @property
    def bench_log(self) -> str:
        return (self.folder / "bench" / "bench.jsonl").read_text()

    def invoked(self, command: str = "") -> int:
        """The number of programmer runs, or of runs with this command."""
        return sum('"argv"' in line and command in line for line in self.bench_log.splitlines())

    @property
    def stacks(self) -> list[str]:
        """The wireless stacks of all boards."""
        return [json.loads(path.read_text())["stack"] for path in self.folder.glob("bench/boards/*/board.json")]


@contextmanager
def desk_with(folder: Path, boards: int) -> Iterator[Desk]:
    for name in ("Full_FactoryData.json", "Provisioning_FactoryData.json"):
        shutil.copy(VECTORS / name, folder)
    command = [sys.executable, "-m", "virtual_bench", "serve", "--dir", str(folder / "bench")]
    options = ["--probes", str(boards), "--time-scale", "0.02"]
    with subprocess.Popen([*command, *options], cwd=ROOT, stdout=subprocess.PIPE, text=True) as serving:
        try:
            assert serving.stdout is not None
            assert "ready" in serving.stdout.readline()
            bench("plug", "--all", "--dir", folder / "bench")
            yield Desk(folder)
        finally:
            serving.terminate()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with desk_with(tmp_path, 2) as ready:
        yield ready


def newer(
    provisioner: str = "st-demonstration-flash", application: str = "operational-flash", mode: str = "test"
) -> str:
    """ST's example command line."""
    return (
        f"--provisioning 1 --json Provisioning_FactoryData.json --flashProvisioningFW {IMAGES}/{provisioner}.bin "
        f"--provisioning_script {ST_MANNER} --flashAppFW {IMAGES}/{application}.bin --mode {mode} "
        "--AppFwAddr 0x08000000 --flashAddr 0x901C0000"
    )


OLDER = (
    f"--provisioning 1 --json Provisioning_FactoryData.json --m4_provisioning {IMAGES}/st-demonstration-flash.bin "
    f"--provisioning_script {ST_MANNER} --m4_matter {IMAGES}/operational-flash.bin"
)


def stack_in(folder: Path, *options: str, version: str = "1.25.0.1") -> Path:
    """A wireless stack that the bench's coprocessors accept, of ST's size."""
    bench("stack-image", "--version", version, *options, folder / "stack.bin")
    return folder / "stack.bin"


@pytest.mark.parametrize(
    "line",
    [newer(), OLDER, f"{newer()} --flashCoFW stack.bin -cofwa 0x08094000", f"{OLDER} --m0 stack.bin"],
    ids=[
        "newer spelling",
        "older spelling",
        "newer spelling with wireless stack",
        "older spelling with wireless stack",
    ],
)
def test_sts_command_line_provisions_eight_boards_at_once(tmp_path: Path, line: str) -> None:
    """Each board gets its own identity; ST's script gives all of them one."""
    stack_in(tmp_path)
    with desk_with(tmp_path, 8) as desk:
        done = desk.run(line)
        assert done.returncode == 0, done.stdout + done.stderr
        units = [flat_tlv.decode(desk.flash(probe)) for probe in desk.probes]
        upgraded = "stack.bin" in line
        assert desk.stacks == ["1.25.0.1" if upgraded else "1.24.0.3"] * 8
        assert desk.invoked("-fwupgrade") == (8 if upgraded else 0)
    assert "8 boards: 8 good, 0 not" in done.stdout
    assert sorted(str(unit.text(Tag.SERIAL_NUMBER)) for unit in units) == [f"TEST_SN-{n:06d}" for n in range(1, 9)]
    assert len({unit.octets(Tag.SPAKE2_VERIFIER) for unit in units}) == 8
    assert len({unit.octets(Tag.DEVICE_ATTESTATION_CERTIFICATE) for unit in units}) == 1
    assert done.stdout.count("a laboratory unit, key in flash") == 8  # ST's firmware puts one DAC on all of them


def test_a_wireless_stack_comes_before_the_application_of_a_reconfigured_board(desk: Desk) -> None:
    """The upgrade service overwrites the application's place."""
    stack_in(desk.folder)
    line = f"--provisioning 0 --json Full_FactoryData.json --flashAppFW {IMAGES}/operational-flash.bin -afwa 0x08000000"
    done = desk.run(f"{line} --flashAddr 0x901C0000 --flashCoFW stack.bin -cofwa 0x08094000")
    assert done.returncode == 0, done.stdout + done.stderr
    assert desk.stacks == ["1.25.0.1"] * 2
    application = (IMAGES / "operational-flash.bin").read_bytes()
    for probe in desk.probes:
        assert (desk.folder / "bench" / "boards" / probe / "internal.bin").read_bytes().startswith(application)


def test_a_programmer_that_works_with_another_probe_makes_no_board_good(desk: Desk) -> None:
    """Otherwise both boards would pass, and one of them would be empty."""
    spoil = ["--board", "2", "--at", "recognise", "--what", "other_probe", "--set", "answering=1"]
    bench("fault", "--dir", desk.folder / "bench", *spoil)
    done = desk.run("--provisioning 0 --json Full_FactoryData.json --flashAddr 0x901C0000")
    assert done.returncode == 1
    assert "2 boards: 1 good, 1 not" in done.stdout
    assert "probe.wrong" in done.stdout
    sound, other = desk.probes
    assert desk.flash(sound).startswith(FULL)
    assert set(desk.flash(other)) == {0xFF}


def test_an_upgrade_that_is_not_said_to_have_worked_is_no_pass(desk: Desk) -> None:
    """The upgrade has worked, but without a stated version that cannot be verified; it is not repeated."""
    stack_in(desk.folder)
    spoil = ["--board", "1", "--at", "coprocessor", "--what", "fwupgrade_fails_but_did"]
    bench("fault", "--dir", desk.folder / "bench", *spoil)
    done = desk.run(f"{OLDER} --m0 stack.bin")
    assert done.returncode == 1
    assert "2 boards: 1 good, 1 not" in done.stdout
    assert "coprocessor.stack_unproven" in done.stdout
    assert desk.invoked("-fwupgrade") == 2


@pytest.mark.parametrize(
    ("address", "words"),
    [("0x08094001", "must begin at a page"), ("0x08004000", "operational-flash.bin 0x08000000 to")],
)
def test_a_wireless_stack_in_a_wrong_place_stops_before_the_first_board(desk: Desk, address: str, words: str) -> None:
    """Stack and application share one flash."""
    stack_in(desk.folder, "--size", "20000")
    done = desk.run(f"{newer()} --flashCoFW stack.bin -cofwa {address}")
    assert (done.returncode, desk.invoked()) == (2, 0)
    assert words in done.stderr


@pytest.mark.parametrize("verify", ["fast", "full"])
def test_a_faulty_byte_of_an_application_is_found_by_either_verification(tmp_path: Path, verify: str) -> None:
    """The first or the last byte keeps its old value; the sound board passes."""
    size = (IMAGES / "operational-flash.bin").stat().st_size
    with desk_with(tmp_path, 3) as desk:
        for board, address in ((1, 0x08000000), (2, 0x08000000 + size - 1)):
            spoil = ["fault", "--dir", "bench", "--board", str(board), "--at", "flash_operational"]
            subprocess.run(
                [
                    sys.executable,
                    "-m",
                    "virtual_bench",
                    *spoil,
                    "--what",
                    "verify_mismatch",
                    "--set",
                    f"address={address}",
                ],
                cwd=desk.folder,
                env=desk.environment,
                check=True,
                capture_output=True,
            )
        done = desk.run(newer(), "--verify", verify)
        writes = [line for line in desk.bench_log.splitlines() if '"argv"' in line and "operational-flash" in line]
    assert done.returncode == 1, done.stdout + done.stderr
    assert "3 boards: 1 good, 2 not" in done.stdout
    assert done.stdout.count("flash.mismatch") == 2
    assert [('"fast"' in line) for line in writes] == [verify == "fast"] * 3


def test_the_laboratorys_switch_flashes_sts_bytes(desk: Desk) -> None:
    """With --same-identity the first records equal those of ST's tool byte for byte."""
    done = desk.run(newer(), "--same-identity")
    assert done.returncode == 0, done.stdout + done.stderr
    given = st_json.from_json((VECTORS / "Provisioning_FactoryData.json").read_bytes())
    records = flat_tlv.encode(given)[:-4]
    assert [desk.flash(probe, len(records)) for probe in desk.probes] == [records, records]


def test_without_provisioning_the_input_is_flashed_as_it_is(desk: Desk) -> None:
    """The flash has the bytes of ST's tool; they are read back and compared, and no other copy is left."""
    done = desk.run("--provisioning 0 --json Full_FactoryData.json -fa 0x901C0000")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [desk.flash(probe, len(FULL)) for probe in desk.probes] == [FULL, FULL]
    assert not list(desk.folder.glob("*.bin"))
    trust = ROOT / "config" / "trust"
    stores = ("--paa-dir", str(trust / "paa"), "--cd-signers", str(trust / "cd-signers"), "--allow-test-keys")
    image = desk.folder / "bench" / "boards" / desk.probes[0] / "qspi.bin"
    page = station("board", "inspect", image, *stores, "--key-storage", "flash")
    assert page.exit_code == 0, page.stdout


def test_an_input_in_any_spelling_of_sts_tool_gives_the_same_flash(desk: Desk) -> None:
    """Bytes have one digit where they can, no 0x, or blanks; numbers have blanks, a plus sign, and underscores."""
    given = json.loads((VECTORS / "Full_FactoryData.json").read_text())
    for value in given.values():
        if isinstance(value, list):
            value[:] = [(f"{int(b, 16):x}", hex(int(b, 16)), f" {b}\n")[n % 3] for n, b in enumerate(value)]
    spelled = {"SPAKE2_ITERATION_COUNT": "1_000", "SPAKE2_SETUP_PASSCODE": "+20202021", "HARDWARE_VERSION": " 1 "}
    (desk.folder / "spelled.json").write_text(json.dumps(given | spelled))
    done = desk.run("--provisioning 0 --json spelled.json -fa 0x901C0000")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [desk.flash(probe, len(FULL)) for probe in desk.probes] == [FULL, FULL]


def test_boards_are_worked_on_when_nobody_reads_any_more(desk: Desk) -> None:
    """With `gen-factory-data … | head -1` every board gets its data, and the exit status is the result."""
    command = desk.command("--provisioning 0 --json Full_FactoryData.json -fa 0x901C0000")
    with subprocess.Popen(
        command, cwd=desk.folder, env=desk.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.readline()
        running.stdout.close()
        complaints = running.stderr.read().decode()
        assert running.wait(120) == 0, complaints
    assert complaints == ""
    assert all(desk.flash(probe, len(FULL)) == FULL for probe in desk.probes)


def test_a_dump_of_one_board_goes_onto_others(desk: Desk) -> None:
    """Values of the JSON replace those of the dump, and each change is listed."""
    dump = b"\xff" * DATA_OFFSET + FULL.ljust(0x20000, b"\xff")
    (desk.folder / "dump.bin").write_bytes(dump)
    (desk.folder / "change.json").write_text(json.dumps({"SERIAL_NUMBER": "BENCH-7"}))
    done = desk.run("--provisioning 0 --binary dump.bin --json change.json -flashAddr 0x901C0000")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "JSON changed SERIAL_NUMBER: TEST_SN to BENCH-7" in done.stdout
    assert flat_tlv.decode(desk.flash(desk.probes[0])).text(Tag.SERIAL_NUMBER) == "BENCH-7"


def test_without_an_address_the_block_is_written_beside_the_input(desk: Desk) -> None:
    """The file has ST's bytes and is private; the command needs and touches no board."""
    expected = {name: digest for digest, name in map(str.split, (VECTORS / "expected.sha256").read_text().splitlines())}
    for name in ("Full_FactoryData", "Provisioning_FactoryData"):
        done = desk.run(f"--provisioning 0 --json {name}.json", bench=False)
        assert done.returncode == 0, done.stdout + done.stderr
        block = desk.folder / f"{name}.bin"
        assert hashlib.sha256(block.read_bytes()).hexdigest() == expected[block.name]
        assert block.stat().st_mode & 0o777 == 0o600
    assert desk.invoked() == 0


def test_a_kept_block_holds_what_each_board_was_given(desk: Desk) -> None:
    """ST's -k keeps the block in a private file, with a warning."""
    done = desk.run(newer(), "-k")
    assert done.returncode == 0, done.stdout + done.stderr
    kept = sorted(desk.folder.glob("Provisioning_FactoryData_*.bin"))
    assert [path.stat().st_mode & 0o777 for path in kept] == [0o600, 0o600]
    assert all(
        desk.flash(probe).startswith(path.read_bytes()[:-4]) for probe, path in zip(desk.probes, kept, strict=True)
    )
    assert done.stdout.count("It holds secrets: delete it") == 2


@pytest.mark.parametrize(
    ("change", "line", "words"),
    [
        ('"VENDOR_ID": "0xFFF1"', "--provisioning 0 --json {} -fa 0x901C0000", "vendor"),
        ('"SPAKE2_SETUP_PASSCODE": "20202021"', "--provisioning 0 --json {} -fa 0x901C0000", "verifier"),
    ],
)
def test_what_a_commissioner_would_refuse_is_not_flashed(desk: Desk, change: str, line: str, words: str) -> None:
    """The certificates are for another vendor, or the verifier is for another passcode."""
    text = (VECTORS / "Full_FactoryData.json").read_text()
    before = re.search(change.replace(": ", r"\s*:\s*"), text)
    assert before
    (desk.folder / "bad.json").write_text(
        text.replace(before[0], before[0].replace("FFF1", "FFF2").replace("21", "22"))
    )
    done = desk.run(line.format("bad.json"))
    assert (done.returncode, desk.invoked()) == (2, 0)
    assert words in done.stderr.lower()
    assert done.stderr.endswith("No board was touched.\n")


def test_a_bad_input_stops_before_the_first_board(desk: Desk) -> None:
    """The input has a private key, the script no entry point, or the application the development DAC."""
    (desk.folder / "empty.py").write_text("x = 1\n")
    development = IMAGES / "operational-flash.bin"
    key = flat_tlv.decode(FULL).octets(Tag.DEVICE_ATTESTATION_PUB_KEY)
    assert key is not None
    content = development.read_bytes()
    (desk.folder / "development.bin").write_bytes(content[:9000] + key[1:] + content[9064:])
    for line, words in (
        (newer().replace("Provisioning_", "Full_", 1), "DEVICE_ATTESTATION_PRIV_KEY"),
        (newer().replace(str(ST_MANNER), "empty.py"), "there is neither"),
        (newer().replace(str(development), "development.bin"), "built without factory data"),
        (newer().replace("0x901C0000", "0x901D0000"), "and nowhere else"),
    ):
        done = desk.run(line)
        assert (done.returncode, desk.invoked()) == (2, 0), done.stdout + done.stderr
        assert words in done.stderr


def test_a_partner_that_says_done_is_not_believed(desk: Desk) -> None:
    """Only the flash counts; ST's script for another board reports OK after five seconds in any case."""
    (desk.folder / "liar.py").write_text("def Provisioning(mode, header, port):\n    return 'OK', 0\n")
    line = newer(provisioner="provisioning-flash").replace(str(ST_MANNER), "liar.py")
    done = desk.run(line)
    assert done.returncode == 1
    assert done.stdout.count("FAIL") == 2
    assert done.stdout.count("readback.refused") == 2


def test_a_key_in_the_wrong_place_is_not_a_pass(desk: Desk) -> None:
    """In production mode the firmware leaves the private key in flash; ST's host does not check this."""
    done = desk.run(newer(mode="production"))
    assert done.returncode == 1
    assert done.stdout.count("readback.private_key_exposed") == 2


def test_production_mode_keeps_the_key_in_the_coprocessor(desk: Desk) -> None:
    """A returning board is completed with the key that it has, since its storage can be written only once."""
    line = newer("st-demonstration-secure", "operational-secure", "production")
    for _ in range(2):
        done = desk.run(line)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.count("key in secure") == 2


def test_a_silent_board_is_given_up_at_the_deadline(desk: Desk) -> None:
    """ST's script would wait for ever, and its host with it."""
    done = desk.run(newer(provisioner="provisioning-flash"), "--script-within", "2")
    assert done.returncode == 1
    assert done.stdout.count("partner.stuck") == 2


def test_an_interruption_leaves_nothing_behind(desk: Desk) -> None:
    """The script's process ends with the command, the port is free, and the next run voids the open attempt."""
    line = newer(provisioner="provisioning-flash")
    with subprocess.Popen(desk.command(line), cwd=desk.folder, env=desk.environment, stdout=subprocess.PIPE) as running:
        transcripts = desk.folder / "state" / "transcripts" / "0000"
        log = desk.folder / "state" / "gen-factory-data.jsonl"
        while not log.exists() or log.read_text().count('"step": "deliver"') < 2:
            assert running.poll() is None
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        assert running.wait(300) == 130
    again = desk.run(newer())
    assert again.returncode == 0, again.stdout + again.stderr
    assert len(list(transcripts.iterdir())) == 4
    with closing(sqlite3.connect(desk.folder / "state" / "ledger.sqlite")) as ledger:
        verdicts = ledger.execute("SELECT verdict, fault FROM attempt ORDER BY id").fetchall()
    assert verdicts == [("void", "station.stopped")] * 2 + [("pass", None)] * 2


def test_a_board_that_is_pulled_is_void_and_the_others_go_on(desk: Desk) -> None:
    """The board's script is stopped at once, and its messages become no fault."""
    script = desk.folder / "slow.py"
    script.write_text(
        "import common, pathlib, time\n"
        "from st_manner import Provisioning as theirs\n"
        "def Provisioning(mode, header, port):\n"
        "    if port.endswith('ttyACM0'): pathlib.Path('waiting').touch(); time.sleep(3600)\n"
        "    return theirs(mode, header, port)\n"
    )
    shutil.copy(ST_MANNER, desk.folder)
    command = desk.command(newer().replace(str(ST_MANNER), str(script)))
    with subprocess.Popen(command, cwd=desk.folder, env=desk.environment, stdout=subprocess.PIPE, text=True) as running:
        while not (desk.folder / "waiting").exists():
            assert running.poll() is None
            time.sleep(0.05)
        bench("unplug", "1", "--dir", desk.folder / "bench")
        said, _ = running.communicate(timeout=250)
    assert running.returncode == 1
    assert re.search(r"ttyACM0/\.\.\w{4}: VOID, [0-9.]+ s: board\.removed", said)
    assert re.search(r"ttyACM1/\.\.\w{4}: pass", said)


def test_a_ledger_that_was_written_later_than_now_is_asked_about(desk: Desk) -> None:
    """The command dates no unit under such a clock, unless a person confirms the clock; one confirmation is enough."""
    line = f"--provisioning 0 --json Full_FactoryData.json --flashAppFW {IMAGES}/operational-flash.bin -afwa 0x08000000"
    line += " --flashAddr 0x901C0000"
    assert desk.run(line).returncode == 0
    with closing(sqlite3.connect(desk.folder / "state" / "ledger.sqlite")) as ledger, ledger:
        later = "UPDATE attempt SET started_at = '2199-01-01T00:00:00.000Z' WHERE id = (SELECT max(id) FROM attempt)"
        ledger.execute(later)
    refused = desk.run(line)
    assert refused.returncode == 3
    assert "by the ledger's last entry, time 2199-01-01T00:00:00Z" in refused.stderr
    assert "--clock-is-right" in refused.stderr
    assert desk.run(line, "--clock-is-right").returncode == 0
    assert desk.run(line).returncode == 0


def test_no_board_is_an_error(tmp_path: Path) -> None:
    """A missing programmer is an error, too; the message lists the searched places."""
    shutil.copy(VECTORS / "Full_FactoryData.json", tmp_path)
    desk = Desk(tmp_path)
    done = desk.run("--provisioning 0 --json Full_FactoryData.json -fa 0x901C0000")
    assert done.returncode == 3
    assert "bench/STM32CubeProgrammer/bin is not there" in done.stderr


def test_a_dry_run_touches_nothing(desk: Desk) -> None:
    """The command makes all checks, and lists the boards."""
    done = desk.run(newer(), "--dry-run")
    assert (done.returncode, desk.invoked()) == (0, 0)
    assert done.stdout.count("board: ") == 2


def test_usage_is_answered_with_two() -> None:
    """The exit code is 2, and the help has ST's options."""
    command = [sys.executable, "-m", "station", "gen-factory-data"]
    wrong = subprocess.run([*command, "--provisioning", "0"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (wrong.returncode, wrong.stderr.splitlines()[0]) == (2, "--json or --binary is required")
    shown = subprocess.run([*command, "--help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for option in ("--m4_provisioning", "-0a", "--flashCoFW", "-afwa", "-programmerPath", "--same-identity"):
        assert option in shown
