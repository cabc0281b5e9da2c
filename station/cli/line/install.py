# SPDX-License-Identifier: Apache-2.0
"""`station install`: puts the service, its account, its rules and a configuration to fill in where a PC looks for them."""

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

import station
from station.adapters.ledger import durable
from station.cli.consoles import say
from station.cli.exit_codes import ENVIRONMENT, USAGE
from station.config import shipped

UNITS = ("matter-station.service", "matter-station-backup.service", "matter-station-backup.timer")
PROGRAM = "@STATION@"
READABLE = 0o022  # the service's account reads the files, whatever the umask of the account that installs them
# What the unit's ProtectHome= and PrivateTmp= hide from the service (systemd.exec(5)).
HIDDEN = tuple(map(Path, ("/home", "/root", "/run/user", "/tmp", "/var/tmp")))  # noqa: S108  nothing is written there
NEXT = """
Next, as root:
  systemd-sysusers && systemd-tmpfiles --create
  udevadm control --reload && udevadm trigger --subsystem-match=usb --subsystem-match=tty
  edit {config}: programmer, PKI; then a recipe beside it
  {station} slots learn --config {config}   # plug a board into each place in turn
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
    program: Annotated[
        Path | None,
        typer.Option(
            "--program",
            metavar="FILE",
            help="The program that the units start; by default the one that runs this command.",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and write nothing.")] = False,
) -> None:
    """Install systemd units, udev rules, account, log rotation, and a configuration to fill in; then say what to do next.

    A file that people edit (below /etc/station) is never written over, nor a symbolic link (a masked unit is one). The program must lie where systemd lets the service read it: not below /home, /root or /tmp.
    """
    started = program or Path(sys.executable).parent / "station"
    if told := list(hidden([started] if program else _needed(started))):
        say(*told, err=True)
        raise typer.Exit(USAGE)
    before = os.umask(READABLE)
    try:
        for file in files(started):
            place = prefix / file.place
            try:
                done = _done(place, file, dry_run=dry_run)
            except OSError as exc:
                say(
                    f"{place} cannot be written: {exc.strerror}. What is listed above is in place; mend this, then install again.",
                    err=True,
                )
                raise typer.Exit(ENVIRONMENT) from exc
            say(f"{done:9} {place}")
    finally:
        os.umask(before)
    say(*NEXT.format(config=prefix / "etc" / "station" / "line.toml", station=started).splitlines())


def _needed(program: Path) -> list[Path]:
    """The files that the service reads to run this program: the program, its interpreter and its modules."""
    return [program, Path(sys.executable), Path(sys.base_prefix), Path(station.__file__).parent]


def hidden(needed: Iterable[Path]) -> Iterator[str]:
    """A sentence and a remedy for each folder of the hidden ones that holds any of these files, or what they link to."""
    told: set[Path] = set()
    for path in needed:
        for place in (path.absolute(), path.resolve()):
            folder = next((folder for folder in HIDDEN if place.is_relative_to(folder)), None)
            if folder is not None and folder not in told:
                told.add(folder)
                yield (
                    f"{place} lies below {folder}, which systemd hides from the service: make the virtual environment"
                    " elsewhere, as in `python3 -m venv /opt/matter-station`, from a Python and a wheel outside of"
                    " /home, /root and /tmp, and run its `station install`"
                )


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
        _write(place, file.content)
    return "would be" if dry_run else "written"


def _write(place: Path, content: bytes) -> None:
    """Writes the file whole or not at all, even if the power fails."""
    # A name that logrotate and systemd pass over, should it be left behind, and that no editor uses.
    new = place.with_name(f".{place.name}.new~")
    try:
        durable.write(place, content, mode=0o644, new=new)
    finally:
        new.unlink(missing_ok=True)
    durable.settle(place.parent)
