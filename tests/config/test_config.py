# SPDX-License-Identifier: Apache-2.0
"""The line's configuration: every mistake is reported at once, each with its place."""

import re
from pathlib import Path

import pytest

from station.config import line
from station.config.problems import ConfigurationInvalid

ROOT = Path(__file__).parents[2]

TLS = """[web.tls]
certificate = "page.pem"
key = "page-key.pem"
"""
GOOD = """
recipe = "recipe.toml"
[station]
name = "line-1"
state = "state"
[programmer]
cli = "/opt/cli"
external_loader = "loader.stldr"
[pki]
url = "https://pki.example.com/.well-known/est"
ca = "ca.pem"
certificate = "station.pem"
key = "key.pem"
pai = "pai.pem"
paa = "paa.pem"
[[slot]]
name = "1"
path = "pci-0000:00:14.0-usb-0:1.1"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "line.toml"
    path.write_text(GOOD)
    return path


def mistakes(path: Path) -> list[str]:
    with pytest.raises(ConfigurationInvalid) as invalid:
        line.load(path, {})
    return [f"{problem.place}: {problem.text}" for problem in invalid.value.problems]


def test_a_relative_path_is_meant_from_the_files_folder(file: Path) -> None:
    """A relative path starts at the file's folder; an absolute path stays as it is."""
    loaded = line.load(file, {})
    assert loaded.programmer.external_loader == file.parent / "loader.stldr"
    assert loaded.programmer.cli == Path("/opt/cli")


def test_locks_are_the_machines_and_not_the_state_folders(file: Path) -> None:
    """Two stations on one hub share their locks; a bench in its own folder counts as a separate machine."""
    assert line.load(file, {}).locks == line.load(file, {"STATION__STATION__STATE": "/elsewhere"}).locks
    assert not line.load(file, {}).locks.is_relative_to(file.parent)
    bench = {"STATION__HOTPLUG__SOURCE": "links", "STATION__HOTPLUG__DIRECTORY": "/bench/dev/serial"}
    assert line.load(file, bench).locks == Path("/bench/dev/locks")
    assert line.load(file, {"STATION__STATION__LOCKS": "/locks"}).locks == Path("/locks")


def test_the_environment_overrides(file: Path) -> None:
    """A variable's name has section and key in capitals, separated by double underscores."""
    loaded = line.load(
        file, {"STATION__PKI__URL": "https://other/est", "STATION__BOARD__BOOT_WITHIN": "2.5", "HOME": "/"}
    )
    assert loaded.pki
    assert (loaded.pki.url, loaded.board.boot_within) == ("https://other/est", 2.5)


def test_every_mistake_is_told_at_once(file: Path) -> None:
    """Each message names section and key as the file writes them."""
    file.write_text(
        GOOD.replace('cli = "/opt/cli"', 'clii = "/opt/cli"')
        .replace("https://", "http://")
        .replace('name = "line-1"', "name = 7")
        .replace('path = "pci-0000:00:14.0-usb-0:1.1"', "")
    )
    found = mistakes(file)
    assert [line.split(":")[0] for line in found] == [
        "station.name",
        "programmer.clii",
        "pki.url",
        "slot[1].path",
    ]
    assert 'programmer.clii: there is no such setting in [programmer]; did you mean "cli"?' in found


def test_two_slots_cannot_share_a_place(file: Path) -> None:
    """Two slots at one place would judge one board twice."""
    file.write_text(GOOD + '\n[[slot]]\nname = "2"\npath = "pci-0000:00:14.0-usb-0:1.1"\n')
    assert "two slots have the path pci-0000:00:14.0-usb-0:1.1" in mistakes(file)[0]


def test_a_place_may_be_written_in_either_spelling(file: Path) -> None:
    """Since systemd 255 udev has two names for one port; they are one place."""
    other = '\n[[slot]]\nname = "2"\npath = "pci-0000:00:14.0-usbv2-0:1.{port}"\n'
    file.write_text(GOOD + other.format(port=2))
    assert [slot.path for slot in line.load(file, {}).slot] == [
        "pci-0000:00:14.0-usb-0:1.1",
        "pci-0000:00:14.0-usb-0:1.2",
    ]
    file.write_text(GOOD + other.format(port=1))
    assert "two slots have the path pci-0000:00:14.0-usb-0:1.1" in mistakes(file)[0]


@pytest.mark.parametrize(
    ("content", "words"), [(b"[station\n", "is not TOML"), (b"\xff\xfe", "is not UTF-8")], ids=["syntax", "encoding"]
)
def test_what_is_not_toml_is_told_with_its_file(file: Path, content: bytes, words: str) -> None:
    """The user sees a message and never a traceback."""
    file.write_bytes(content)
    assert words in mistakes(file)[0]


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    """The message has the system's reason."""
    assert "cannot be read: No such file or directory" in mistakes(tmp_path / "none.toml")[0]


def test_the_shipped_configuration_is_good_but_for_its_slots(tmp_path: Path) -> None:
    """The README tells people to copy this file, and how the slots are learned; their example is good, too."""
    shipped = ROOT / "config" / "line.toml"
    (told,) = mistakes(shipped)
    assert told == "slot: there is no [[slot]], expected one for each place: `station slots learn` writes them"
    example = re.sub(r"^# (?=\[\[slot|name = |path = )", "", shipped.read_text(), flags=re.MULTILINE)
    (tmp_path / "line.toml").write_text(example)
    assert [slot.name for slot in line.load(tmp_path / "line.toml", {}).slot] == ["1"]


def test_a_witness_cannot_be_in_the_state_folder(file: Path) -> None:
    """Restoring the whole folder would restore the witness with the ledger. A bench counts as a machine."""
    inside = GOOD.replace('state = "state"', 'state = "state"\nwitness = "state/witness"')
    file.write_text(inside)
    assert "witness is inside state" in mistakes(file)[0]
    file.write_text(inside + '\n[hotplug]\nsource = "links"\ndirectory = "dev/serial"\n')
    assert line.load(file, {}).station.witness == file.parent / "state" / "witness"


@pytest.mark.parametrize(
    "listen", ["line-1:8470", "localhost:8470", "127.0.0.1", "8470", "a@127.0.0.1:1", "127.0.0.1:99999", "[::1", ""]
)
def test_the_page_has_an_address_and_a_port(file: Path, listen: str) -> None:
    file.write_text(GOOD + f'[web]\nlisten = "{listen}"\n')
    assert mistakes(file)[0].startswith(f'web.listen: found "{listen}", expected an address with a port')


@pytest.mark.parametrize("listen", ["0.0.0.0:8470", "192.168.1.4:8470", "[::]:8470", "[fd00::4]:8470"])
def test_an_address_that_other_pcs_reach_needs_tls(file: Path, listen: str) -> None:
    """Whoever can reach the page could read it; but a page that is off is read by nobody."""
    file.write_text(GOOD + f'[web]\nlisten = "{listen}"\nhosts = ["line-1"]\n')
    [mistake] = mistakes(file)
    assert mistake.startswith(f"web.tls: there is no [web.tls], and other PCs reach {listen}: name certificate and key")
    assert not line.load(file, {"STATION__WEB__ON": "false"}).web.needs_people
    file.write_text(GOOD + f'[web]\nlisten = "{listen}"\nhosts = ["Line-1."]\n{TLS}')
    web = line.load(file, {}).web
    assert web.needs_people
    assert web.hosts == ("line-1",)
    assert web.tls is not None
    assert web.tls.key == file.parent / "page-key.pem"


@pytest.mark.parametrize("missing", ["certificate", "key"])
def test_certificate_and_key_of_the_page_belong_together(file: Path, missing: str) -> None:
    lines = [each for each in TLS.splitlines() if not each.startswith(missing)]
    file.write_text(GOOD + "\n".join(['[web]\nlisten = "192.168.1.4:8470"', *lines]))
    assert mistakes(file) == [f"web.tls.{missing}: this setting is missing"]


@pytest.mark.parametrize("listen", ["0.0.0.0:8470", "[::]:8470"])
def test_a_page_at_every_address_needs_a_name(file: Path, listen: str) -> None:
    """Nobody calls the PC by 0.0.0.0, and a name that is not listed is refused."""
    file.write_text(GOOD + f'[web]\nlisten = "{listen}"\n{TLS}')
    [mistake] = mistakes(file)
    assert mistake.startswith(f"web.hosts: there is none, and {listen} is every address of this PC")


@pytest.mark.parametrize("host", ["https://line-1", "line-1:8470", "line 1", "-line", "a..b", "*", ""])
def test_a_host_is_a_name_alone(file: Path, host: str) -> None:
    file.write_text(GOOD + f'[web]\nhosts = ["{host}"]\n')
    [mistake] = mistakes(file)
    assert mistake.startswith(f'web.hosts[1]: found "{host}", expected a name or an address as browsers show it')


def test_hosts_are_compared_as_browsers_send_them(file: Path) -> None:
    file.write_text(GOOD + '[web]\nhosts = ["LINE-1.Factory.example", "192.168.1.4", "FD00::4", "[fd00::5]"]\n')
    assert line.load(file, {}).web.hosts == ("line-1.factory.example", "192.168.1.4", "[fd00::4]", "[fd00::5]")


@pytest.mark.parametrize("listen", ["127.0.0.1:8470", "127.0.0.2:80", "[::1]:8470", "127.0.0.1:0"])
def test_the_page_may_have_any_port_of_this_pc(file: Path, listen: str) -> None:
    file.write_text(GOOD + f'[web]\nlisten = "{listen}"\nlanguage = "zh"\ncolumns = 4\n')
    web = line.load(file, {}).web
    assert (web.on, web.listen, web.language, web.columns) == (True, listen, "zh", 4)


def test_the_page_is_on_unless_somebody_turns_it_off(file: Path) -> None:
    assert line.load(file, {}).web.on
    assert line.load(file, {}).web.listen == "127.0.0.1:8470"
    assert not line.load(file, {"STATION__WEB__ON": "false"}).web.on


def test_a_slot_may_have_its_place_on_the_page(file: Path) -> None:
    file.write_text(GOOD + "place = [2, 3]\n")
    assert line.load(file, {}).slot[0].place == (2, 3)


def test_two_slots_have_two_places(file: Path) -> None:
    other = '[[slot]]\nname = "2"\npath = "pci-0000:00:14.0-usb-0:1.2"\nplace = [1, 1]\n'
    file.write_text(GOOD + "place = [1, 1]\n" + other)
    assert any("two slots have the place" in mistake for mistake in mistakes(file))
