# SPDX-License-Identifier: Apache-2.0
"""Mistakes that people make in a line's files, and the message that each gets before the line opens."""

import asyncio
import codecs
import os
from pathlib import Path

import pytest

from station.config.problems import ConfigurationInvalid
from station.doctor import configuration
from tests.doctor.line_files import (
    FIRST_DIGEST,
    LINE,
    MANIFEST,
    RECIPE,
    ROOT,
    Files,
    Spoiler,
    controllers,
    file,
    folder,
    gone,
    lock,
    manifest,
    put,
    readable,
    recipe,
    secret,
    shared,
    variable,
)

# What somebody did, the beginning of the one message, and other words that must be in it.
MISTAKES: list[tuple[Spoiler, str, str]] = [
    (put('cli = "cli"', 'cli = "CLI"'), "line.toml: programmer.cli: there is no file CLI", "expected the programmer's"),
    (put('cli = "cli"', 'cli = "."'), "line.toml: programmer.cli: found the folder", "STM32_Programmer_CLI"),
    (
        put('cli = "cli"', 'cli = "/bin/true"'),
        "line.toml: programmer.cli: /bin/true is not STM32_Programmer_CLI",
        "with --version",
    ),
    (put('cli = "cli"', 'cli = "/bin/echo"'), "line.toml: programmer.cli: /bin/echo is not STM32", "with --version"),
    (lambda f: (f.folder / "cli").chmod(0o644), "line.toml: programmer.cli: cli may not be executed", "chmod a+x cli"),
    (gone("loader.stldr"), "line.toml: programmer.external_loader: there is no file loader.stldr", ".stldr"),
    (put('"loader.stldr"', '"pki"'), "line.toml: programmer.external_loader: found the folder pki", "which is a file"),
    (put("cli =", "clii ="), "line.toml: programmer.clii: there is no such setting", 'did you mean "cli"?'),
    (
        put("[programmer]", "[programer]"),
        "line.toml: programer: there is no such setting",
        'did you mean "programmer"?',
    ),
    (put("[board]", "[board]\nlevel = 1"), "line.toml: board.level: there is no such setting", "belongs to [log]"),
    (
        lambda f: (
            put('recipe = "config/recipes/lighting.toml"\n', "")(f),
            put("[station]", f'[station]\nrecipe = "{RECIPE}"')(f),
        ),
        "line.toml: station.recipe: there is no such setting",
        "belongs above the first table",
    ),
    (put('source = "links"', 'source = "link"'), 'line.toml: hotplug.source: found "link"', 'did you mean "links"?'),
    (put('directory = "dev/serial"', 'directory = "cli"'), "line.toml: hotplug.source: ", "cli is no folder"),
    (
        put('source = "links"\ndirectory = "dev/serial"', 'source = "udev"\nudev = "nowhere"'),
        "line.toml: hotplug.source: udev does not run on this machine",
        "nowhere/control",
    ),
    (put("0:1.2", "0:1.2:1.2"), "line.toml: slot[2].path: found", 'did you mean "pci-0000:00:14.0-usb-0:1.2"?'),
    (
        put('path = "pci-0000:00:14.0-usb-0:1.2', 'path = "/dev/serial/by-path/pci-0000:00:14.0-usb-0:1.2:1.2'),
        "line.toml: slot[2].path: found",
        'without the folder in front; did you mean "pci-0000:00:14.0-usb-0:1.2"?',
    ),
    (put("pci-0000:00:14.0-usb-0:1.2", "/dev/ttyACM0"), "line.toml: slot[2].path: found", "order of plugging in"),
    (
        put("pci-0000:00:14.0-usb-0:1.2", "usb-STMicroelectronics_STLINK-V3_0039-if02"),
        "line.toml: slot[2].path: found",
        "the name of one probe",
    ),
    (put("0:1.2", "0:1.1"), "line.toml: two slots have the path pci-0000:00:14.0-usb-0:1.1", "each slot needs its own"),
    (put('name = "2"', "name = 2"), "line.toml: slot[2].name: found 2, expected text in quotes", ""),
    (
        controllers("0000:00:1d.0"),
        "line.toml: slot[1].path, slot[2].path: this machine has no USB controller 0000:00:14.0",
        "station ports",
    ),
    (
        put("baudrate = 115200", 'baudrate = "115200"'),
        'line.toml: board.baudrate: found "115200" in quotes',
        "a number",
    ),
    (put("baudrate = 115200", "baudrate = 300"), "line.toml: board.baudrate: found 300, expected 9600 or more", ""),
    (put("baudrate = 115200", "baudrate = true"), "line.toml: board.baudrate: found true, expected a number", ""),
    (put("[board]", "[board]\nboot_within = 0"), "line.toml: board.boot_within: found 0, expected more than 0", ""),
    (put('state = "state"', "state = 7"), "line.toml: station.state: found 7, expected a path in quotes", ""),
    (file("state"), "line.toml: station.state: found state, which is no folder", "a folder for the ledger"),
    (
        put('state = "state"', 'state = "cli/state"'),
        "line.toml: station.state: cli/state cannot be made",
        "cli is a file",
    ),
    (folder("logs/station.jsonl"), "line.toml: log.file: found the folder logs/station.jsonl", "a file for the log"),
    (file("logs"), "line.toml: log.file: found logs, which is no folder", "for the log"),
    (file("register"), "line.toml: station.witness: found register, which is no folder", "records of its ledgers"),
    (put("[log]", '[log]\nlevel = "Warning"'), 'line.toml: log.level: found "Warning"', 'did you mean "warning"?'),
    (put("https://", "http://"), 'line.toml: pki.url: found "http://', "an address that begins with https://"),
    (put("pki.factory.test", "pki.example.com"), 'line.toml: pki.url: found "pki.example.com"', "that of your PKI"),
    (gone("pki/tls/ca.pem"), "line.toml: pki.ca: there is no file pki/tls/ca.pem", "authority"),
    (put("station-key.pem", "server-key.pem"), "line.toml: pki.key: pki/tls/server-key.pem is not the key of", ""),
    (
        put("tls/station.pem", "tls/server.pem"),
        "line.toml: pki.certificate: pki/tls/server.pem is not a cert",
        "for clients",
    ),
    (
        put('pai = "pki/pai.pem"\npaa = "pki/paa.pem"', 'pai = "pki/paa.pem"\npaa = "pki/pai.pem"'),
        "line.toml: pki.pai and pki.paa: pki/paa.pem is a root and pki/pai.pem is not",
        "exchange them",
    ),
    (
        readable("pki/tls/station-key.pem"),
        "line.toml: pki.key: pki/tls/station-key.pem can be used by other",
        "chmod 600",
    ),
    (
        file("pki/tls/station-key.pem", b"\x30\x82"),
        "line.toml: pki.key: pki/tls/station-key.pem is DER",
        "[pki] key needs",
    ),
    (put("[pki]", '[pki]\nheader = "X-Key"'), "line.toml: pki: header and header_file belong together", ""),
    (secret(0o600, b"x", 'header = "Host"\nheader_file'), "line.toml: pki: header is Host", "fills itself"),
    (secret(0o600, b"two\nlines\n"), "line.toml: pki.basic_file: secret is not a secret: one line", "user:password"),
    (secret(0o644, b"user:password"), "line.toml: pki.basic_file: secret can be used by other accounts", "chmod 600"),
    (put("[pki]", '[pki]\nbasic_file = "secret"'), "line.toml: pki.basic_file: there is no file secret", "one line"),
    (
        shared('dsn = "host=db sslkey=/nowhere/centre.key"'),
        "line.toml: shared.dsn: there is no file /nowhere/centre.key",
        "the key of that certificate",
    ),
    (
        shared('dsn = "host=db"\nfleet_key = "fleet.key"'),
        "line.toml: shared.fleet_key: there is no file fleet.key",
        "the key of the fleet",
    ),
    (
        shared('dsn = "host=db"\nfleet_key = "loader.stldr"'),
        "line.toml: shared.fleet_key: others can read loader.stldr, which is the key of the fleet",
        "chmod 600",
    ),
    (
        shared('dsn = "host=db"\nsigning_key = "pki/tls/station-key.pem"'),
        "line.toml: shared.signing_key: pki/tls/station-key.pem has no such key",
        "Ed25519",
    ),
    (put("[pki]", '[pki]\ntls_floor = "1.1"'), 'line.toml: pki.tls_floor: found "1.1"', ""),
    (put("[pki]", "[pki]\nat_once = 0"), "line.toml: pki.at_once: ", ""),
    (gone("pki/pai.pem"), "line.toml: pki.pai: pki/pai.pem cannot be read", "No such file"),
    (file("pki/paa.pem"), "line.toml: pki.paa: pki/paa.pem is not a certificate", "neither PEM nor DER"),
    (variable("STATION_PKI_URL", "https://x"), "environment: STATION_PKI_URL: ", "did you mean STATION__PKI__URL?"),
    (variable("station__pki__url", "https://x"), "environment: station__pki__url: ", "did you mean STATION__PKI__URL?"),
    (variable("STATION__PKI__URI", "https://x"), "environment: STATION__PKI__URI: there is no", 'did you mean "url"?'),
    (variable("STATION__PKI__URL", "http://x"), 'environment: STATION__PKI__URL: found "http://x"', "https://"),
    (variable("STATION__PROGRAMMER__CLI", "none"), "environment: STATION__PROGRAMMER__CLI: there is no file none", ""),
    (
        variable("STATION__BOARD__BAUDRATE", "fast"),
        'environment: STATION__BOARD__BAUDRATE: found "fast"',
        "whole number",
    ),
    (
        put("lighting.toml", "lightning.toml"),
        "line.toml: recipe: there is no file config/recipes/lightning.toml",
        "a recipe",
    ),
    (
        lock("option_bytes = { nBOOTO = 1 }"),
        f"{RECIPE}: lock.option_bytes: the STM32WB55 has no option byte",
        '"nBOOT0"?',
    ),
    (lock("option_bytes = { BOR_LEV = 8 }"), f"{RECIPE}: lock.option_bytes: found BOR_LEV = 0x8", "it has 3 bits"),
    (lock('option_bytes = { BOR_LEV = "4" }'), f'{RECIPE}: lock.option_bytes: found BOR_LEV = "4"', "without quotes"),
    (lock("option_bytes = { ESE = 1 }"), f"{RECIPE}: lock.option_bytes: ESE is not set here", "only the coprocessor"),
    (recipe("{:08d}", "{:03d}"), f"{RECIPE}: lot.serial_number: found 'LT26{{:03d}}'", "did you mean {:07d}?"),
    (recipe("= 0xFFF1", '= "0xFFF1"'), f'{RECIPE}: product.vendor_id: found "0xFFF1" in quotes', "without quotes"),
    (recipe("size = 1_000_000", 'size = "1000000"'), f'{RECIPE}: lot.size: found "1000000" in quotes', "a number"),
    (
        recipe("passcode = true", 'passcode = "yes"'),
        f'{RECIPE}: factory_data.passcode: found "yes" in quotes',
        "true or",
    ),
    (
        recipe("passcode = true", "passcode = 1"),
        f"{RECIPE}: factory_data.passcode: found 1, expected true or false",
        "",
    ),
    (recipe('"flash"', '"Flash"'), f'{RECIPE}: key_storage: found "Flash"', 'did you mean "flash"?'),
    (
        recipe('"provisioning-link"', '"provisioning"'),
        f'{RECIPE}: procedure: found "provisioning"',
        '"provisioning-link"?',
    ),
    (
        recipe('operational = "operational-flash"', 'operational = "operational-flahs"'),
        f"{RECIPE}: images.operational: the manifest has no image operational-flahs",
        'did you mean "operational-flash"?',
    ),
    (recipe("manifest.toml", "manifests.toml"), "firmware_images/manifests.toml: cannot be read", "No such file"),
    (
        manifest('name = "provisioning-secure"', 'name = "provisioning-flash"'),
        f"{MANIFEST}: image: image[1] and image[2] have one name",
        '"provisioning-flash"',
    ),
    (
        manifest("load_address = 0x08000000", "load_address = 0x08000400"),
        f"{MANIFEST}: image[1].load_address: provisioning-flash would lie at load_address 0x08000400",
        "the core starts the vector table at 0x08000000",
    ),
    (
        manifest("load_address = 0x08000000", 'load_address = "0x08000000"'),
        f'{MANIFEST}: image[1].load_address: found "0x08000000" in quotes',
        "without quotes",
    ),
    (manifest(FIRST_DIGEST, "0" * 64), f"{MANIFEST}: image[1].sha256: ", "the manifest says 00000000"),
    (manifest(FIRST_DIGEST, FIRST_DIGEST.upper()), f"{MANIFEST}: image[1].sha256: found", "0 to 9 and a to f"),
    (gone("firmware_images/provisioning-flash.bin"), f"{MANIFEST}: image[1].file: ", "cannot be read"),
    (manifest('version = "1.1.1"', "version = 1.0"), f"{MANIFEST}: image[1].version: found 1.0, expected text", ""),
    (
        lambda f: (f.folder / "line.toml").write_bytes(codecs.BOM_UTF16_LE + LINE.encode("utf-16-le")),
        "line.toml: byte 0: is not UTF-8, but UTF-16",
        "byte order mark",
    ),
    (
        lambda f: (f.folder / "line.toml").write_bytes(LINE.replace("line-1", "Stra\u00dfe").encode("latin-1")),
        "line.toml: byte ",
        "found the byte 0xDF in line 4",
    ),
    (put("[pki]", "[pki"), "line.toml: is not TOML: ", "line 13"),
]


@pytest.mark.parametrize("number", range(len(MISTAKES)))
def test_each_mistake_is_told_once_with_its_place(files: Files, number: int) -> None:
    """One cause is one message, which has the file or the variable, the place, and the remedy, without a word of Python's."""
    spoil, begins, has = MISTAKES[number]
    spoil(files)
    told = files.told()
    many = [text for text in told if not (begins.startswith("firmware_images") and "image[1]" in text)]
    assert len(many) <= 1, told
    assert told[0].replace(f"{files.folder}/", "").startswith(begins), told
    assert any(has in text for text in told), told
    assert not [text for text in told if "<class" in text or "pathlib" in text or "pydantic" in text]


def test_good_files_have_no_mistake(files: Files) -> None:
    """The recipe that was checked is the one that the line runs with."""
    config, loaded = asyncio.run(configuration.checked(files.folder / "line.toml", {}, files.pci))
    assert (len(config.slot), loaded.name) == (2, "lighting")


def test_a_byte_order_mark_is_passed_over(files: Files) -> None:
    """Editors of other systems write one in front of UTF-8."""
    path = files.folder / "line.toml"
    path.write_bytes(codecs.BOM_UTF8 + path.read_bytes())
    assert asyncio.run(configuration.checked(path, {}, files.pci))


def test_a_line_whose_recipe_is_missing_is_told_its_missing_authorities_too(files: Files) -> None:
    """A copy of the shipped file needs both."""
    for spoil in (gone("config/recipes/lighting.toml"), gone("pki/pai.pem"), gone("pki/paa.pem")):
        spoil(files)
    assert [text.split(": ")[1] for text in files.told()] == ["recipe", "pki.pai", "pki.paa"]


def test_mistakes_of_all_files_are_told_at_once(files: Files) -> None:
    """A mistake in the line's file does not hide those of recipe, manifest, environment and machine."""
    for spoil in (
        put("cli =", "clii ="),
        put("[board]", "[board]\nboot_within = 0"),
        recipe("size = 1_000_000", 'size = "1000000"'),
        manifest("load_address = 0x08000000", 'load_address = "0x08000000"'),
        gone("loader.stldr"),
        variable("STATION_LOG_LEVEL", "debug"),
    ):
        spoil(files)
    assert [text.split(": ")[1] for text in files.told()] == [
        "STATION_LOG_LEVEL",
        "programmer.clii",
        "board.boot_within",
        "lot.size",
        "image[1].load_address",
        "programmer.external_loader",
    ]


def test_the_shipped_configuration_tells_what_must_be_filled_in(tmp_path: Path) -> None:
    """A newcomer who runs the file as it is learns of every setting that needs a value of this machine."""
    with pytest.raises(ConfigurationInvalid) as invalid:
        asyncio.run(configuration.checked(ROOT / "config" / "line.toml", {}, tmp_path))
    places = {problem.place for problem in invalid.value.problems}
    assert {"programmer.cli", "programmer.external_loader", "slot"} <= places
    assert {f"pki.{name}" for name in ("url", "ca", "certificate", "key", "pai", "paa")} <= places


def test_a_folder_that_may_not_be_written_is_told(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """The account of the service needs the right before the first board."""
    state = files.folder / "state"
    state.mkdir()
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != state.resolve() and allowed(path, mode))
    (told,) = files.told()
    assert "station.state: this account may not write in state" in told
