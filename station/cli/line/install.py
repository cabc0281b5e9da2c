# SPDX-License-Identifier: Apache-2.0
"""`station install`: puts the service, its account, its rules and a configuration to fill in where a PC looks for them."""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from station.cli.consoles import say
from station.config import shipped

UNITS = ("matter-station.service", "matter-station-backup.service", "matter-station-backup.timer")
PROGRAM = "@STATION@"
READABLE = 0o022  # the service's account reads the files, whatever the umask of the account that installs them
NEXT = """
Next, as root:
  systemd-sysusers && systemd-tmpfiles --create
  udevadm control --reload && udevadm trigger --subsystem-match=usb --subsystem-match=tty
  edit {config}: programmer, PKI, slots; then a recipe beside it
  runuser -u matter-station -- {station} config check --config {config}   # names every mistake
  runuser -u matter-station -- {station} doctor --config {config}
  systemctl daemon-reload && systemctl enable --now matter-station.service matter-station-backup.timer
  systemctl status matter-station.service; tail -f /var/log/station/station.jsonl"""


@dataclass(frozen=True, slots=True)
class _File:
    """A file to install; one that people edit is never written over."""

    place: Path
    content: bytes
    edited: bool


def install(
    prefix: Annotated[
        Path, typer.Option("--prefix", metavar="DIR", help="The root of the file system that gets the files.")
    ] = Path("/"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and write nothing.")] = False,
) -> None:
    """Install systemd units, udev rules, account, log rotation, and a configuration to fill in; then say what to do next.

    A file that people edit (below /etc/station) is never written over, nor a symbolic link (a masked unit is one). The units start the program that runs this command.
    """
    before = os.umask(READABLE)
    program = Path(sys.executable).parent / "station"
    try:
        for file in files(program):
            place = prefix / file.place
            done = _done(place, file, dry_run=dry_run)
            say(f"{done:9} {place}")
    finally:
        os.umask(before)
    say(*NEXT.format(config=prefix / "etc" / "station" / "line.toml", station=program).splitlines())


def files(program: Path) -> Iterator[_File]:
    """All files, with their places below the prefix. The units start `program`."""
    deploy, config = shipped.FOLDER / "config" / "deploy", shipped.FOLDER / "config"
    units = Path("etc/systemd/system")
    for name in UNITS:
        text = (deploy / name).read_text(encoding="utf-8").replace(PROGRAM, str(program))
        yield _File(units / name, text.encode(), edited=False)
    for name, place in (
        ("70-matter-station.rules", "etc/udev/rules.d/70-matter-station.rules"),
        ("sysusers.conf", "etc/sysusers.d/matter-station.conf"),
        ("tmpfiles.conf", "etc/tmpfiles.d/matter-station.conf"),
        ("logrotate.conf", "etc/logrotate.d/matter-station"),
    ):
        yield _File(Path(place), (deploy / name).read_bytes(), edited=False)
    ours = Path("etc/station")
    yield _File(ours / "line.toml", (config / "line.toml").read_bytes(), edited=True)
    for path in sorted((config / "recipes").iterdir()):
        recipe = path.read_bytes().replace(b'"../../firmware_images/', b'"../firmware_images/')
        yield _File(ours / "recipes" / path.name, recipe, edited=True)
    images = shipped.FOLDER / "firmware_images"
    for path in [images / "manifest.toml", *sorted(images.glob("*.bin"))]:
        yield _File(ours / "firmware_images" / path.name, path.read_bytes(), edited=True)


def _done(place: Path, file: _File, *, dry_run: bool) -> str:
    """Installs the file unless it is there; returns what was done, or would be."""
    if place.is_symlink():
        return "kept"
    if place.exists():
        if place.read_bytes() == file.content:
            return "unchanged"
        if file.edited:
            return "kept"
    if not dry_run:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(file.content)
    return "would be" if dry_run else "written"
