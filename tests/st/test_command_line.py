# SPDX-License-Identifier: Apache-2.0
"""ST's command line: every option of both spellings, its meaning, and the refusals."""

from pathlib import Path

import pytest

from station.domain.product import KeyStorage, Verify
from station.gen_factory_data.arguments import Spelling, UsageInvalid, parse
from station.gen_factory_data.plan import IdentityRule, Placed, Plan, plan


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files that command lines name, in the working folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("data.json", "data.bin", "stack.bin", "provisioning.bin", "matter.bin", "script.py"):
        (tmp_path / name).write_bytes(b"content")
    return tmp_path


def planned(line: str) -> Plan:
    return plan(parse(line.split()))


def refused(line: str) -> str:
    with pytest.raises(UsageInvalid) as caught:
        planned(line)
    return str(caught.value)


NEWER = (
    "--provisioning 1 --json data.json --flashCoFW stack.bin --flashProvisioningFW provisioning.bin "
    "--provisioning_script script.py --flashAppFW matter.bin --mode production --AppFwAddr 0x08000000 "
    "--CoFwAddr 0x08094000 --flashAddr 0x901C0000"
)
OLDER = (
    "--provisioning 1 --json data.json --m0 stack.bin --m4_provisioning provisioning.bin "
    "--provisioning_script script.py --m4_matter matter.bin"
)


def test_sts_example_in_the_newer_spelling() -> None:
    """Every option of ST's published example has its meaning."""
    found = planned(NEWER)
    assert found == Plan(
        spelling=Spelling.NEWER,
        provisioning=True,
        json=Path("data.json"),
        binary=None,
        data_address=0x901C0000,
        coprocessor=Placed("wireless stack", Path("stack.bin"), 0x08094000),
        provisioner=Placed("provisioning firmware", Path("provisioning.bin"), 0x08000000),
        application=Placed("application", Path("matter.bin"), 0x08000000),
        script=Path("script.py"),
        key_storage=KeyStorage.SECURE,
        identity=IdentityRule.OWN,
        verify=Verify.FAST,
    )


def test_the_older_spelling_knows_the_addresses() -> None:
    """0x08094000 is the coprocessor's, 0x08000000 the application core's, 0x901C0000 the data's."""
    older, newer = planned(OLDER), planned(NEWER)
    assert (older.coprocessor, older.provisioner, older.application) == (
        newer.coprocessor,
        newer.provisioner,
        newer.application,
    )
    assert older.data_address == newer.data_address
    assert older.spelling is Spelling.OLDER


def test_without_mode_the_firmware_decides_where_the_key_lives() -> None:
    """The older spelling has no --mode."""
    found = planned(OLDER)
    assert found.key_storage is None
    assert "key: in the provisioning firmware's own storage, whichever that is (no --mode)" in list(found.said())


@pytest.mark.parametrize(("mode", "storage"), [("test", KeyStorage.FLASH), ("production", KeyStorage.SECURE)])
def test_mode_tells_where_the_key_lives(mode: str, storage: KeyStorage) -> None:
    """`Test` means external flash, `Production` means CKS."""
    assert planned(NEWER.replace("production", mode)).key_storage is storage


@pytest.mark.parametrize("option", ["-fa", "--flashAddr", "-flashAddr"])
def test_every_name_of_the_data_address(option: str) -> None:
    """Three names have one meaning; the address may also be decimal."""
    assert planned(f"--provisioning 0 --json data.json {option} 0x901D0000").data_address == 0x901D0000
    assert planned(f"--provisioning 0 --json data.json {option} {0x901D0000}").data_address == 0x901D0000


@pytest.mark.parametrize("option", ["-0a", "-M0Addr"])
def test_every_older_name_of_the_coprocessors_address(option: str) -> None:
    """Each name replaces the default address."""
    stack = planned(f"{OLDER} {option} 0x080CE000").coprocessor
    assert stack is not None
    assert stack.address == 0x080CE000


@pytest.mark.parametrize("option", ["-4a", "-M4Addr"])
def test_every_older_name_of_the_applications_address(option: str) -> None:
    """One address is used for both firmwares."""
    found = planned(f"{OLDER} {option} 0x08001000")
    assert [placed and placed.address for placed in (found.provisioner, found.application)] == [0x08001000, 0x08001000]


@pytest.mark.parametrize("option", ["-cofwa", "--CoFwAddr"])
def test_every_newer_name_of_the_coprocessors_address(option: str) -> None:
    """The newer spelling has no default address."""
    stack = planned(NEWER.replace("--CoFwAddr 0x08094000", f"{option} 0x080CE000")).coprocessor
    assert stack is not None
    assert stack.address == 0x080CE000


@pytest.mark.parametrize("option", ["-afwa", "--AppFwAddr"])
def test_every_newer_name_of_the_applications_address(option: str) -> None:
    """One address is used for both firmwares."""
    found = planned(NEWER.replace("--AppFwAddr 0x08000000", f"{option} 0x08001000"))
    assert [placed and placed.address for placed in (found.provisioner, found.application)] == [0x08001000, 0x08001000]


@pytest.mark.parametrize("option", ["-pp", "--programmerPath", "-programmerPath"])
def test_every_name_of_the_programmers_path(option: str) -> None:
    """The path stays as typed; another module interprets it."""
    assert (
        parse(["--provisioning", "0", option, r"c:\Program Files\ST\bin"]).programmer_path == r"c:\Program Files\ST\bin"
    )


@pytest.mark.parametrize("option", ["-el", "--externalLoader", "-externalLoader"])
def test_every_name_of_the_external_loader(option: str) -> None:
    """Each name of the option sets the same loader."""
    assert parse(["--provisioning", "0", option, "MX25LM51245G"]).external_loader == "MX25LM51245G"


@pytest.mark.parametrize(
    ("options", "name"), [("-v --verbose --v --ve --ver --verb", "verbose"), ("-k --keep", "keep")]
)
def test_switches_are_off_unless_they_are_given(options: str, name: str) -> None:
    assert getattr(parse(["--provisioning", "0"]), name) is False
    assert all(getattr(parse(["--provisioning", "0", option]), name) is True for option in options.split())


def test_long_options_may_be_shortened() -> None:
    """ST's script takes any unambiguous beginning."""
    assert planned("--provisioning 0 --js data.json").json == Path("data.json")


def test_without_an_address_the_block_is_written_beside_the_input(files: Path) -> None:
    """With --provisioning 0 the command touches no board and overwrites no file."""
    found = planned("--provisioning 0 --json data.json")
    assert (found.data_address, found.identity) == (None, IdentityRule.INPUT)
    assert found.block == Path("data_1.bin")
    (files / "data_1.bin").touch()
    assert found.block == Path("data_2.bin")


def test_json_over_binary_in_the_older_spelling() -> None:
    """The plan names both files, the JSON first, since its values win."""
    assert "data.json over data.bin" in next(planned("--provisioning 0 --json data.json --binary data.bin").said())


def test_json_and_binary_exclude_one_another_in_the_newer_spelling() -> None:
    """ST's parser excludes them, too."""
    assert "--json and --binary exclude one another" in refused(f"{NEWER} --binary data.bin")


def test_the_laboratorys_switch_gives_all_boards_one_identity() -> None:
    """ST's tool always does this; here it needs an option, and the output mentions it."""
    found = planned(f"{OLDER} --same-identity")
    assert found.identity is IdentityRule.SAME
    assert any("never sell such units" in line for line in found.said())
    assert "--same-identity" in refused("--provisioning 0 --json data.json --same-identity")


def test_an_application_is_verified_by_byte_if_that_is_asked_for() -> None:
    """ST's script always does this; with --provisioning 0 so does this command."""
    fast, full = planned(OLDER), planned(f"{OLDER} --verify full")
    assert (fast.verify, full.verify) == (Verify.FAST, Verify.FULL)
    assert any("--verify full" in line for line in fast.said())
    assert not any("--verify full" in line for line in full.said())
    assert planned("--provisioning 0 --json data.json").verify is Verify.FULL


@pytest.mark.parametrize(
    ("line", "mistake"),
    [
        ("--json data.json", "--provisioning"),
        ("--provisioning 2 --json data.json", "invalid choice: 2"),
        ("--provisioning 0", "--json or --binary is required"),
        ("--provisioning 0 --json absent.json", "there is no file absent.json"),
        ("--provisioning 0 --json data.json -fa nonsense", "nonsense is not an address such as 0x901C0000"),
        ("--provisioning 0 --json data.json -fa 0x08000000", "the external flash is 0x90000000 to 0x90FFFFFF"),
        ("--provisioning 0 --json data.json -fa 0x901C0100", "must begin at a multiple of 0x10000"),
        ("--provisioning 0 --json data.json --m4_matter matter.bin -4a 0x08000000", "-flashAddr is required"),
        ("--provisioning 0 --json data.json --mode field -fa 0x901C0000", "invalid choice: 'field'"),
        ("--provisioning 1 --json data.json --m4_matter matter.bin", "--m4_provisioning is required"),
        ("--provisioning 1 --json data.json --flashAppFW matter.bin", "--flashProvisioningFW is required"),
        (NEWER.replace("--provisioning_script script.py", ""), "--provisioning_script is required"),
        (OLDER.replace("--provisioning_script script.py", ""), "--provisioning_script is required"),
        (NEWER.replace("--flashAppFW matter.bin", ""), "--flashAppFW is required"),
        (NEWER.replace("--AppFwAddr 0x08000000", ""), "--AppFwAddr is required"),
        (NEWER.replace("--CoFwAddr 0x08094000", ""), "--CoFwAddr is required"),
        (NEWER.replace("--flashAddr 0x901C0000", ""), "--flashAddr is required"),
        (NEWER.replace("--AppFwAddr 0x08000000", "-afwa 0x20000000"), "the internal flash is 0x08000000 to 0x080FFFFF"),
        (f"{OLDER} -0a 0x080FFFFF", "wireless stack stack.bin, 7 bytes at 0x080FFFFF"),
        (f"{OLDER} --mode test", "--m0, --m4_provisioning, --m4_matter is of the older, --mode of the newer"),
        (f"{NEWER} --m0 stack.bin", "two spellings are mixed"),
        (f"{OLDER} --verify slow", "invalid choice: 'slow'"),
        (f"{OLDER} --unheard-of", "unrecognized arguments: --unheard-of"),
    ],
)
def test_mistakes_are_refused_before_anything_is_opened(line: str, mistake: str) -> None:
    assert mistake in refused(line)


def test_every_mistake_is_told_at_once() -> None:
    """The message lists every mistake of the command line."""
    mistakes = refused("--provisioning 1 --flashAppFW matter.bin").splitlines()
    assert len(mistakes) == 5


def test_an_empty_firmware_is_refused(files: Path) -> None:
    """An empty firmware would erase nothing and prove nothing."""
    (files / "matter.bin").write_bytes(b"")
    assert "matter.bin is empty" in refused(OLDER)


def test_the_plan_is_said_in_the_order_of_deeds() -> None:
    """The wireless stack comes first, since its upgrade overwrites the application."""
    assert [line.split(":")[0] for line in planned(NEWER).said()] == [
        "wireless stack",
        "factory data",
        "provisioning firmware",
        "certificates",
        "application",
        "identity",
        "key",
    ]
