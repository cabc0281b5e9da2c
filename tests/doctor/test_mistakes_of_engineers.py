# SPDX-License-Identifier: Apache-2.0
"""More mistakes that people make in a line's files: of editors, copies, certificates and rights."""

import shutil
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from tests.doctor.line_files import (
    FIRST_DIGEST,
    LINE,
    Files,
    Spoiler,
    file,
    folder,
    manifest,
    put,
    recipe,
    variable,
)


def both(*spoilers: Spoiler) -> Spoiler:
    """One mistake that takes more than one change."""

    def spoil(files: Files) -> None:
        for each in spoilers:
            each(files)

    return spoil


def copied(source: str, to: str) -> Spoiler:
    return lambda files: shutil.copyfile(files.folder / source, files.folder / to)


def swapped(one: str, other: str) -> Spoiler:
    def spoil(files: Files) -> None:
        first, second = (files.folder / one).read_bytes(), (files.folder / other).read_bytes()
        (files.folder / one).write_bytes(second)
        (files.folder / other).write_bytes(first)

    return spoil


def link(name: str, to: str) -> Spoiler:
    def spoil(files: Files) -> None:
        (files.folder / name).unlink(missing_ok=True)
        (files.folder / name).symlink_to(to)

    return spoil


def valid(name: str, begins: timedelta, ends: timedelta, signer: str) -> Spoiler:
    """The same certificate with other times, from now on."""

    def spoil(files: Files) -> None:
        path = files.folder / "pki" / f"{name}.pem"
        old = x509.load_pem_x509_certificate(path.read_bytes())
        key = load_pem_private_key((files.folder / "pki" / f"{signer}-key.pem").read_bytes(), None)
        now = datetime.now(UTC)
        made = x509.CertificateBuilder(
            old.issuer, old.subject, old.public_key(), old.serial_number, now + begins, now + ends, list(old.extensions)
        )
        path.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))  # type: ignore[arg-type]

    return spoil


DAY = timedelta(days=1)

# What somebody did, and how each message begins that it gets.
MISTAKES: dict[str, tuple[Spoiler, list[str]]] = {
    "tab inside": (
        put("baudrate = 115200", "baudrate\t=\t115200\tbaud"),
        [
            'line.toml: is not TOML: line 21, column 19: found "baudrate\\t=\\t115200\\tbaud"; a number stands without a unit; docs/configuration.md has the unit of each'
        ],
    ),
    "smart quotes": (
        put('name = "line-1"', "name = \u201cline-1\u201d"),
        [
            'line.toml: is not TOML: line 4, column 8: found "name = \\u201cline-1\\u201d"; text stands in straight quotes, ", which a word processor replaces'
        ],
    ),
    "table twice": (
        put("[log]", "[board]\nboot_within = 20\n[log]"),
        [
            'line.toml: is not TOML: line 22, column 7: found "[board]"; this table stands above already: join the two; several tables of one name each have a heading in double brackets'
        ],
    ),
    "setting twice": (
        put("baudrate = 115200", "baudrate = 115200\nbaudrate = 9600"),
        [
            'line.toml: is not TOML: line 22, column 16: found "baudrate = 9600"; this name stands above already: keep one of both'
        ],
    ),
    "slot in single brackets": (
        put('[[slot]]\nname = "2"', '[slot]\nname = "2"'),
        [
            'line.toml: is not TOML: line 27, column 6: found "[slot]"; this table stands above already: join the two; several tables of one name each have a heading in double brackets'
        ],
    ),
    "only slot single": (
        lambda f: (f.folder / "line.toml").write_text(
            LINE.split("[[slot]]")[0] + '[slot]\nname = "1"\npath = "pci-0000:00:14.0-usb-0:1.1"\n'
        ),
        [
            "line.toml: slot: found a table, expected an array of tables, each with a heading in double brackets in the file"
        ],
    ),
    "unit in value": (
        put("[board]", '[board]\nboot_within = "30s"'),
        [
            'line.toml: board.boot_within: found "30s" in quotes, expected a number without quotes and without a unit; did you mean 30?'
        ],
    ),
    "unit bare": (
        put("[board]", "[board]\nboot_within = 30s"),
        [
            'line.toml: is not TOML: line 21, column 17: found "boot_within = 30s"; a number stands without a unit; docs/configuration.md has the unit of each'
        ],
    ),
    "negative time": (
        put("[board]", "[board]\nreply_within = -5"),
        ["line.toml: board.reply_within: found -5, expected more than 0"],
    ),
    "infinite": (
        put("[board]", "[board]\nreply_within = inf"),
        ["line.toml: board.reply_within: found inf, expected a finite number"],
    ),
    "nan": (
        put("[board]", "[board]\nreply_within = nan"),
        ["line.toml: board.reply_within: found nan, expected a finite number"],
    ),
    "decimal comma": (
        put("[board]", "[board]\nreply_within = 2,5"),
        [
            'line.toml: is not TOML: line 21, column 17: found "reply_within = 2,5"; a number has a decimal point, and _ between thousands, but no comma'
        ],
    ),
    "windows path literal": (
        put('cli = "cli"', "cli = 'C:\\ST\\STM32_Programmer_CLI.exe'"),
        [
            'line.toml: programmer.cli: found "C:\\\\ST\\\\STM32_Programmer_CLI.exe", a path of Windows, expected one of this computer, with / between its folders'
        ],
    ),
    "tilde": (
        put('state = "state"', 'state = "~/station"'),
        [
            'line.toml: station.state: found "~/station", expected a path in full: the station replaces neither ~ nor variables'
        ],
    ),
    "variable in path": (
        put('state = "state"', 'state = "$HOME/station"'),
        [
            'line.toml: station.state: found "$HOME/station", expected a path in full: the station replaces neither ~ nor variables'
        ],
    ),
    "trailing blank": (
        put('cli = "cli"', 'cli = "cli "'),
        ['line.toml: programmer.cli: found "cli ", expected no blanks around a path; did you mean "cli"?'],
    ),
    "upper ext": (
        put('"loader.stldr"', '"loader.STLDR"'),
        [
            'line.toml: programmer.external_loader: there is no file loader.STLDR, expected the external loader of the QSPI flash, a .stldr file; did you mean "loader.stldr"?'
        ],
    ),
    "symlink loop": (
        both(link("cli", "other"), link("other", "cli")),
        [
            "line.toml: programmer.cli: cli is a link that leads back to itself, expected the programmer's executable, STM32_Programmer_CLI"
        ],
    ),
    "broken link": (
        link("loader.stldr", "nowhere"),
        [
            "line.toml: programmer.external_loader: loader.stldr is a link to nothing, expected the external loader of the QSPI flash, a .stldr file"
        ],
    ),
    "same slot name": (
        put('name = "2"', 'name = "1"'),
        ["line.toml: two slots have the name 1, slot[1] and slot[2]: each slot needs its own"],
    ),
    "slot missing path": (
        put('path = "pci-0000:00:14.0-usb-0:1.2"', ""),
        ["line.toml: slot[2].path: this setting is missing"],
    ),
    "slot name blank": (
        put('name = "2"', 'name = " "'),
        ['line.toml: slot[2].name: found " ", expected text that is not empty'],
    ),
    "empty path": (
        put('"pci-0000:00:14.0-usb-0:1.2"', '""'),
        ['line.toml: slot[2].path: found "", expected text that is not empty'],
    ),
    "port in url": (
        put("pki.factory.test/", "pki.factory.test:84430/"),
        [
            'line.toml: pki.url: found "https://pki.factory.test:84430/.well-known/est", whose port is no number from 1 to 65535, expected an address such as https://pki.factory.net/.well-known/est'
        ],
    ),
    "port text": (
        put("pki.factory.test/", "pki.factory.test:https/"),
        [
            'line.toml: pki.url: found "https://pki.factory.test:https/.well-known/est", whose port is no number from 1 to 65535, expected an address such as https://pki.factory.net/.well-known/est'
        ],
    ),
    "no host": (
        put("https://pki.factory.test/.well-known/est", "https:///est"),
        [
            'line.toml: pki.url: found "https:///est" without the name of a server, expected an address such as https://pki.factory.net/.well-known/est'
        ],
    ),
    "blank in url": (
        put("pki.factory.test/", "pki.factory .test/"),
        [
            'line.toml: pki.url: found "https://pki.factory .test/.well-known/est" with a blank in it, expected an address such as https://pki.factory.net/.well-known/est'
        ],
    ),
    "cert and key exchanged": (
        both(
            put('certificate = "pki/tls/station.pem"', 'certificate = "pki/tls/station-key.pem"'),
            put('key = "pki/tls/station-key.pem"\npai', 'key = "pki/tls/station.pem"\npai'),
        ),
        [
            "line.toml: pki.certificate: pki/tls/station-key.pem holds a private key, expected this station's certificate, in PEM",
            "line.toml: pki.key: pki/tls/station.pem holds a certificate and no key, expected the key of this station's certificate, in PEM",
        ],
    ),
    "cert is key": (
        put("pki/tls/station.pem", "pki/tls/station-key.pem"),
        [
            "line.toml: pki.certificate: pki/tls/station-key.pem holds a private key, expected this station's certificate, in PEM"
        ],
    ),
    "key is cert": (
        put("pki/tls/station-key.pem", "pki/tls/station.pem"),
        [
            "line.toml: pki.key: pki/tls/station.pem holds a certificate and no key, expected the key of this station's certificate, in PEM"
        ],
    ),
    "PAI as client": (
        put('certificate = "pki/tls/station.pem"', 'certificate = "pki/pai.pem"'),
        [
            "line.toml: pki.certificate: pki/pai.pem is the certificate of an authority, expected this station's certificate, in PEM"
        ],
    ),
    "PAI and PAA exchanged": (
        swapped("pki/pai.pem", "pki/paa.pem"),
        [
            "line.toml: pki.pai and pki.paa: pki/pai.pem is a root and pki/paa.pem is not, expected the PAI at pki.pai and the PAA at pki.paa: exchange them"
        ],
    ),
    "PAA twice": (
        copied("pki/paa.pem", "pki/pai.pem"),
        ["line.toml: pki.pai: pki/pai.pem is a root (PAA), expected the intermediate below it (PAI)"],
    ),
    "ca is key": (
        copied("pki/tls/ca-key.pem", "pki/tls/ca.pem"),
        [
            "line.toml: pki.ca: pki/tls/ca.pem holds a private key, expected the certificate of the PKI server's authority, in PEM"
        ],
    ),
    "ca empty": (
        file("pki/tls/ca.pem", b""),
        ["line.toml: pki.ca: pki/tls/ca.pem is empty, expected the certificate of the PKI server's authority, in PEM"],
    ),
    "ca is leaf": (
        put("pki/tls/ca.pem", "pki/tls/server.pem"),
        [
            "line.toml: pki.ca: pki/tls/server.pem is a certificate that no authority has, such as the server's own, expected the certificate of the PKI server's authority, in PEM"
        ],
    ),
    "client expired": (
        valid("tls/station", -90 * DAY, -2 * DAY, "tls/ca"),
        ["line.toml: pki.certificate: pki/tls/station.pem expired"],
    ),
    "client not yet": (
        valid("tls/station", 2 * DAY, 90 * DAY, "tls/ca"),
        ["line.toml: pki.certificate: pki/tls/station.pem is valid from "],
    ),
    "PAI expired": (valid("pai", -90 * DAY, -2 * DAY, "paa"), ["line.toml: pki.pai: pki/pai.pem expired"]),
    "ca expired": (valid("tls/ca", -90 * DAY, -2 * DAY, "tls/ca"), ["line.toml: pki.ca: pki/tls/ca.pem expired"]),
    "PAI html": (
        file("pki/pai.pem", b"<html>login</html>"),
        ["line.toml: pki.pai: pki/pai.pem is not a certificate, neither PEM nor DER"],
    ),
    "recipe is folder": (
        put("config/recipes/lighting.toml", "config/recipes"),
        [
            "line.toml: recipe: found the folder config/recipes, expected a recipe, which is a file; a relative path starts at the folder of line.toml"
        ],
    ),
    "recipe is manifest": (
        put("config/recipes/lighting.toml", "firmware_images/manifest.toml"),
        ["line.toml: recipe: firmware_images/manifest.toml is a manifest of images, expected a recipe"],
    ),
    "recipe is line": (
        put("config/recipes/lighting.toml", "line.toml"),
        ["line.toml: recipe: line.toml is the configuration of a line, expected a recipe"],
    ),
    "manifest is the image": (
        recipe("manifest.toml", "provisioning-flash.bin"),
        ["firmware_images/provisioning-flash.bin: is not a text, expected a file in TOML"],
    ),
    "images swapped": (
        recipe(
            'provisioning = "provisioning-flash"\noperational = "operational-flash"',
            'provisioning = "operational-flash"\noperational = "provisioning-flash"',
        ),
        [
            "config/recipes/lighting.toml: images.provisioning: operational-flash is of kind operational, provisioning is needed",
            "config/recipes/lighting.toml: images.operational: provisioning-flash is of kind provisioning, operational is needed",
        ],
    ),
    "image part": (
        manifest('target = "STM32WB55"', 'target = "STM32WBA55"'),
        ['firmware_images/manifest.toml: image[1].target: found "STM32WBA55", expected "STM32WB55"'],
    ),
    "zero image": (
        file("firmware_images/provisioning-flash.bin", b""),
        [
            "firmware_images/manifest.toml: image[1].file: firmware_images/provisioning-flash.bin is empty, expected the bytes of the flash"
        ],
    ),
    "image elf": (
        file("firmware_images/provisioning-flash.bin", b"\x7fELF" + bytes(5000)),
        [
            "firmware_images/manifest.toml: image[1].file: firmware_images/provisioning-flash.bin is an ELF file: make it with objcopy -O binary, expected the bytes of the flash"
        ],
    ),
    "image hex": (
        file("firmware_images/provisioning-flash.bin", b":020000040800F2\r\n:10000000" * 400),
        [
            "firmware_images/manifest.toml: image[1].file: firmware_images/provisioning-flash.bin is in Intel's hexadecimal format: make it with objcopy -I ihex -O binary, expected the bytes of the flash"
        ],
    ),
    "image case": (
        manifest('file = "provisioning-flash.bin"', 'file = "provisioning-flash.BIN"'),
        [
            'firmware_images/manifest.toml: image[1].file: firmware_images/provisioning-flash.BIN cannot be read: No such file or directory; did you mean "provisioning-flash.bin"?'
        ],
    ),
    "sha of 63": (
        manifest(FIRST_DIGEST, FIRST_DIGEST[1:]),
        [
            f'firmware_images/manifest.toml: image[1].sha256: found "{FIRST_DIGEST[1:]}", expected a SHA-256, which has 64 digits 0 to 9 and a to f'
        ],
    ),
    "manifest no images": (
        file("firmware_images/manifest.toml", b"# later\n"),
        ["firmware_images/manifest.toml: image: this setting is missing"],
    ),
    "manifest empty": (
        file("firmware_images/manifest.toml", b""),
        ["firmware_images/manifest.toml: image: this setting is missing"],
    ),
    "manifest single": (
        manifest('[[image]]\nname = "provisioning-flash"', '[image]\nname = "provisioning-flash"'),
        [
            'firmware_images/manifest.toml: is not TOML: line 17, column 8: found "[[image]]"; this table stands above already: join the two; several tables of one name each have a heading in double brackets'
        ],
    ),
    "answers typo": (
        manifest('answers = ["identity", "proof"]', 'answers = ["identity", "proofs"]'),
        [
            'firmware_images/manifest.toml: image[3].answers[2]: found "proofs", expected "identity", "proof" or "common-name"; did you mean "proof"?'
        ],
    ),
    "answers text": (
        manifest('answers = ["identity", "proof"]', 'answers = "identity"'),
        ['firmware_images/manifest.toml: image[3].answers: found "identity", expected a list in square brackets'],
    ),
    "load address twice": (
        manifest("load_address = 0x08000000", "load_address = 08000000"),
        [
            'firmware_images/manifest.toml: is not TOML: line 11, column 17: found "load_address = 08000000"; a decimal number has no zeros in front, and a hexadecimal one begins with 0x'
        ],
    ),
    "vendor decimal": (
        recipe("0xFFF1", "0x1FFF1"),
        ["config/recipes/lighting.toml: product.vendor_id: found 131057, expected 65535 or less"],
    ),
    "hex without x": (
        recipe("0xFFF1", "FFF1"),
        [
            'config/recipes/lighting.toml: is not TOML: line 9, column 13: found "vendor_id = FFF1"; a hexadecimal number begins with 0x'
        ],
    ),
    "product other": (
        recipe("0x8004", "0x8005"),
        [
            "line.toml: pki.pai and pki.paa: a commissioner would refuse them: PAI: it issues for vendor 0xFFF1, product 0x8004, and vendor 0xFFF1, product 0x8005 is made (rule K4)"
        ],
    ),
    "version text": (
        recipe("hardware_version = 1", 'hardware_version = "1.0"'),
        [
            'config/recipes/lighting.toml: product.hardware_version: found "1.0" in quotes, expected a number without quotes'
        ],
    ),
    "version float": (
        recipe("hardware_version = 1\n", "hardware_version = 1.5\n"),
        ["config/recipes/lighting.toml: product.hardware_version: found 1.5, expected a whole number"],
    ),
    "declaration image": (
        recipe("certification-declaration.der", "lighting.toml"),
        [
            "config/recipes/lighting.toml: product.certification_declaration: A commissioner would refuse the certification declaration, or refuse it for this product. (rule D6, reason 1264 bytes; at most 790 are allowed)"
        ],
    ),
    "declaration gone": (
        recipe("certification-declaration.der", "cd.der"),
        [
            "config/recipes/lighting.toml: product.certification_declaration: config/recipes/cd.der cannot be read: No such file or directory"
        ],
    ),
    "percent": (
        recipe("LT26{:08d}", "LT26%08d"),
        [
            "config/recipes/lighting.toml: lot.serial_number: found 'LT26%08d', expected text with one decimal number in it, such as \"LIGHT-{:06d}\", which makes LIGHT-000001: it has no numbers, one is expected"
        ],
    ),
    "size zero": (
        recipe("size = 1_000_000", "size = 0"),
        ["config/recipes/lighting.toml: lot.size: found 0, expected more than 0"],
    ),
    "size comma": (
        recipe("size = 1_000_000", "size = 1,000,000"),
        [
            'config/recipes/lighting.toml: is not TOML: line 21, column 9: found "size = 1,000,000"; a number has a decimal point, and _ between thousands, but no comma'
        ],
    ),
    "iterations": (
        recipe("iterations = 1000", "iterations = 100"),
        ["config/recipes/lighting.toml: spake2.iterations: found 100, expected 1000 or more"],
    ),
    "trust bool": (
        recipe('trust = "development"', "trust = true"),
        ['config/recipes/lighting.toml: trust: found true, expected "development" or "production"'],
    ),
    "store empty": (
        both(
            folder("config/recipes/trusted"),
            recipe('trust = "development"', 'trust = "development"\ntrust_store = "trusted"'),
        ),
        [
            "config/recipes/lighting.toml: trust_store: A file of the trust store cannot be used. (reason config/recipes/trusted/paa: No such file or directory)"
        ],
    ),
    "lock level": (
        recipe("[images]", "[lock]\nreadout_protection = 3\n[images]"),
        ["config/recipes/lighting.toml: lock.readout_protection: found 3, expected 1 or 2"],
    ),
    "lock list": (
        recipe("[images]", '[lock]\noption_bytes = ["BOR_LEV=4"]\n[images]'),
        ["config/recipes/lighting.toml: lock.option_bytes: found a list, expected a table"],
    ),
    "env number": (
        variable("STATION__BOARD__BOOT_WITHIN", "30s"),
        ['environment: STATION__BOARD__BOOT_WITHIN: found "30s", expected a number'],
    ),
    "env empty": (
        variable("STATION__STATION__STATE", ""),
        ['environment: STATION__STATION__STATE: found "", expected a path'],
    ),
    "env slot": (
        variable("STATION__SLOT__0__NAME", "9"),
        [
            "environment: STATION__SLOT__0__NAME: found a table, expected an array of tables, each with a heading in double brackets in the file"
        ],
    ),
    "env slots": (
        variable("STATION__SLOT", "9"),
        [
            'environment: STATION__SLOT: found "9", expected an array of tables, each with a heading in double brackets in the file'
        ],
    ),
    "env section": (
        variable("STATION__BOARD", "115200"),
        ['environment: STATION__BOARD: found "115200", expected a table'],
    ),
    "env quotes": (
        variable("STATION__PKI__URL", '"https://pki.factory.test"'),
        [
            'environment: STATION__PKI__URL: found "\\"https://pki.factory.test\\"", expected an address that begins with https://'
        ],
    ),
    "env blank": (
        variable("STATION__LOG__LEVEL", "info "),
        [
            'environment: STATION__LOG__LEVEL: found "info ", expected "debug", "info", "warning" or "error"; did you mean "info"?'
        ],
    ),
    "log level list": (
        put("[log]", "[log]\nlevel = ['info']"),
        ['line.toml: log.level: found a list, expected "debug", "info", "warning" or "error"'],
    ),
    "policy negative": (
        put("[log]", "[policy]\nslots = -1\n[log]"),
        ["line.toml: policy.slots: found -1, expected 0 or more"],
    ),
    "policy never": (
        put("[log]", "[policy]\nslots = 4\nwithin_boards = 3\n[log]"),
        ["line.toml: policy: slots is 4 and within_boards 3: among so few boards there are never so many slots"],
    ),
    "policy off": (
        put("[log]", '[policy]\nslots = "off"\n[log]'),
        ['line.toml: policy.slots: found "off" in quotes, expected a number without quotes'],
    ),
    "name empty": (
        put('name = "line-1"', 'name = ""'),
        ['line.toml: station.name: found "", expected text that is not empty'],
    ),
    "station array": (put("[station]", "[[station]]"), ["line.toml: station: found a list, expected a table"]),
    "date": (
        put('name = "line-1"', "name = 2026-11-26"),
        ["line.toml: station.name: found a date or time, expected text in quotes"],
    ),
    "nearly empty line": (
        # the source is named, since its default depends on the machine
        lambda f: (f.folder / "line.toml").write_bytes(b'[hotplug]\nsource = "poll"\n'),
        [
            "line.toml: recipe: this setting is missing",
            "line.toml: station: this setting is missing",
            "line.toml: programmer: this setting is missing",
            "line.toml: slot: there is no [[slot]]",
        ],
    ),
    "nul": (
        lambda f: (f.folder / "line.toml").write_bytes(b"\0" * 500),
        ['line.toml: is not TOML: line 1, column 1: found "\\u0000\\u000'],
    ),
    "json": (
        lambda f: (f.folder / "line.toml").write_text('{"recipe": "x"}'),
        [
            'line.toml: is not TOML: line 1, column 1: found "{\\"recipe\\": \\"x\\"}"; this looks like JSON: a table begins with [name], and a setting is name = value'
        ],
    ),
    "merge mark": (
        put("[board]", "<<<<<<< HEAD\n[board]"),
        [
            'line.toml: is not TOML: line 20, column 1: found "<<<<<<< HEAD"; this is the mark of an unfinished merge: decide for one side'
        ],
    ),
    "comment //": (
        put("[board]", "// the boards\n[board]"),
        ['line.toml: is not TOML: line 20, column 1: found "// the boards"; a comment begins with #'],
    ),
    "colon": (
        put("baudrate = 115200", "baudrate: 115200"),
        [
            'line.toml: is not TOML: line 21, column 9: found "baudrate: 115200"; between name and value stands =, not a colon'
        ],
    ),
    "missing value": (
        put("baudrate = 115200", "baudrate ="),
        ['line.toml: is not TOML: line 21, column 11: found "baudrate ="; there is no value behind ='],
    ),
    "no closing quote": (
        put('name = "line-1"', 'name = "line-1'),
        ['line.toml: is not TOML: line 4, column 15: found "name = \\"line-1"; the closing quote is missing'],
    ),
    "nbsp": (
        put("baudrate = 115200", "baudrate\u00a0= 115200"),
        [
            'line.toml: is not TOML: line 21, column 9: found "baudrate\\u00a0= 115200"; this line has a blank that is none: type the blanks anew'
        ],
    ),
    "old mac ends": (
        lambda f: (f.folder / "line.toml").write_bytes(LINE.replace("\n", "\r").encode()),
        [
            'line.toml: is not TOML: line 1, column 1: found "recipe = \\"config/recipes/lighting.toml\\"\\r[station]\\rname = \\"line-1\\"\\rstate ..."; the lines end as on an old Macintosh: save the file with ends of line LF or CR LF'
        ],
    ),
    "cli script text": (
        file("cli", b"no program"),
        [
            "line.toml: programmer.cli: cli is not STM32_Programmer_CLI: asked with --version, it cannot be started: Exec format error"
        ],
    ),
    "log = state": (
        put('file = "logs/station.jsonl"', 'file = "state"'),
        ["line.toml: log.file: found state, which another setting names, expected a file for the log"],
    ),
    "log is line.toml": (
        put('file = "logs/station.jsonl"', 'file = "line.toml"'),
        ["line.toml: log.file: found line.toml, which is another file of the station, expected a file for the log"],
    ),
    "hotplug dir poll": (
        put('source = "links"', 'source = "poll"'),
        ['line.toml: hotplug: directory is a setting of source = "links", and the source is "poll"'],
    ),
    "slot path pattern": (
        put("pci-0000:00:14.0-usb-0:1.2", "1-1.2"),
        [
            'line.toml: slot[2].path: found "1-1.2", expected the name of a USB port, as `station ports` and /dev/serial/by-path show it'
        ],
    ),
    "slot path COM": (
        put("pci-0000:00:14.0-usb-0:1.2", "COM3"),
        [
            'line.toml: slot[2].path: found "COM3", expected the name of a USB port, as `station ports` and /dev/serial/by-path show it'
        ],
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_each_mistake_is_told_in_these_words(files: Files, name: str) -> None:
    """File, place, what was found and what was expected, each cause once, and no word of Python's or of a library's."""
    spoil, begins = MISTAKES[name]
    spoil(files)
    told = files.told()
    assert len(told) == len(begins), told
    assert [text for text, beginning in zip(told, begins, strict=True) if not text.startswith(beginning)] == []
