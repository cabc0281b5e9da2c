# SPDX-License-Identifier: Apache-2.0
"""The PC: rights, services that take serial ports, clock, disk, memory and descriptors. Only looks, and writes one small file."""

import grp
import os
import resource
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile

from station.adapters.system.resources import DESCRIPTORS_AN_ATTEMPT
from station.adapters.system.secret_files import SecretFiles
from station.doctor.finding import Finding, advice, bad, good, unknown
from station.faults.line import SecretFilesUnavailable

ROOT = Path("/")
RULES = ("etc/udev/rules.d", "run/udev/rules.d", "usr/lib/udev/rules.d", "lib/udev/rules.d")
ST = "0483"  # the USB vendor of ST-LINK probes
GROUPS = ("dialout", "plugdev")
OWN_GROUP = "matter-station"  # config/deploy/sysusers.conf
OTHER_DESCRIPTORS = 128  # ledger, log, PKI, sockets
ROOM = 1 << 30  # bytes; a unit takes about 30 KB of ledger and transcripts
SLOW_SYNC = 0.05  # seconds
SYNCS = 5
EARLIEST = 1_767_225_600  # 2026-01-01: no clock before the station was written is right
SYNCHRONISED = ("run/systemd/timesync/synchronized", "run/chrony/chronyd.pid", "var/lib/chrony/drift", "run/ntpd.pid")
SHARED_MEMORY = "/dev/shm"  # noqa: S108  only a name here
ROOM_IN_MEMORY = 4 << 20  # bytes a slot


def findings(
    state: Path | None, station: str, slots: int, *, runs: bool, synchronised: bool | None = None, root: Path = ROOT
) -> Iterator[Finding]:
    """The checks of this machine. Where a daemon runs, the disk's speed is not measured.

    `synchronised`: whether the kernel's clock is, None if nobody tells it.
    """
    rules = _rules(root)
    yield _udev(rules, root)
    yield _groups()
    yield _modem_manager(rules, root)
    yield _clock(root, synchronised=synchronised)
    if state is not None:
        yield from _disk(state, runs=runs)
    yield _memory(station, slots)
    yield _descriptors(slots)


def chinese_font(*, found: bool | None) -> Finding:
    """Whether the page's words can be drawn where it begins in Chinese; `found` is None if nobody can tell."""
    check, remedy = "page font", "apt-get install fonts-noto-cjk"
    if found:
        return good(check, "There is a font with Chinese characters for the operator's page.")
    if found is None:
        return advice(
            check,
            "Whether there is a font with Chinese characters cannot be seen without fc-list.",
            f"{remedy} fontconfig",
        )
    return advice(check, "There is no font with Chinese characters, and the operator's page begins in Chinese.", remedy)


def _rules(root: Path) -> str | None:
    """The text of all udev rules; None where there is no folder of them."""
    folders = [root / name for name in RULES if (root / name).is_dir()]
    files = [file for folder in folders for file in folder.glob("*.rules")]
    texts = []
    for file in files:
        try:
            texts.append(file.read_text(errors="replace"))
        except OSError:
            continue  # a rule that this account may not read
    return "\n".join(texts) if folders else None


def _udev(rules: str | None, root: Path) -> Finding:
    if rules is None:
        return unknown("udev rules", f"There are no udev rules below {root}: this may be a container.")
    if not any(ST in line and "idVendor" in line for line in rules.splitlines()):
        return bad(
            "udev rules",
            "No udev rule gives access to ST-LINK probes.",
            "Run `station install`, which puts them into /etc/udev/rules.d.",
        )
    return good("udev rules", "A udev rule names ST-LINK probes.")


def _groups() -> Finding:
    if os.geteuid() == 0:
        return advice(
            "groups", "This is the superuser, who may do everything.", "Run the station under an account of its own."
        )
    mine = {*os.getgroups(), os.getegid()}
    if _number(OWN_GROUP) in mine:
        return good(
            "groups", f"This account is in {OWN_GROUP}, which owns ports and probes by the service's udev rules."
        )
    absent, known = [], 0
    for name in GROUPS:
        number = _number(name)
        if number is None:
            continue
        known += 1
        if number not in mine:
            absent.append(name)
    if not known:
        return unknown("groups", f"This machine has none of the groups {', '.join(GROUPS)}.")
    if absent:
        return bad(
            "groups",
            f"This account is not in {' and '.join(absent)}.",
            f"usermod -aG {','.join(absent)} ACCOUNT, then log in again.",
        )
    return good("groups", "This account is in the groups that own ports and probes.")


def _number(group: str) -> int | None:
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        return None


def _modem_manager(rules: str | None, root: Path) -> Finding:
    try:
        names = {_read(path) for path in (root / "proc").glob("[0-9]*/comm")}
    except OSError as exc:
        return unknown("ModemManager", f"The processes cannot be listed: {exc.strerror}.")
    if "ModemManager" not in names:
        return good("ModemManager", "ModemManager does not run.")
    if any(ST in line and "ID_MM_DEVICE_IGNORE" in line for line in (rules or "").splitlines()):
        return good("ModemManager", "ModemManager runs, and is told to leave ST-LINK probes alone.")
    return bad(
        "ModemManager",
        "ModemManager runs, and holds each new serial port for up to 20 seconds.",
        "Run `station install`, whose udev rules make ModemManager ignore the probes, or remove ModemManager.",
    )


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:  # the process has ended
        return ""


def _clock(root: Path, *, synchronised: bool | None) -> Finding:
    if time.time() < EARLIEST:
        return bad(
            "clock", "The clock shows a time before the station was written.", "Set the clock, and keep it by NTP."
        )
    if synchronised:
        return good("clock", "The kernel's clock is synchronised.")
    if synchronised is False:
        return advice(
            "clock",
            "The kernel's clock is not synchronised, or not yet.",
            "Start systemd-timesyncd or chrony, and let it reach a time server; a wrong clock stops the line.",
        )
    if any((root / name).exists() for name in SYNCHRONISED):
        return good("clock", "A service keeps the clock.")
    return advice(
        "clock",
        "No sign of a service that keeps the clock.",
        "Install systemd-timesyncd or chrony; a wrong clock stops the line.",
    )


def _disk(state: Path, *, runs: bool) -> Iterator[Finding]:
    folder = next(each for each in (state, *state.parents) if each.is_dir())
    free = shutil.disk_usage(folder).free
    if free < ROOM:
        yield bad(
            "disk space",
            f"{folder} has {free >> 20} MiB left.",
            "Make room: one GiB is enough for thirty thousand units.",
        )
    else:
        yield good("disk space", f"{folder} has {free >> 20} MiB left.")
    if runs:
        yield good(
            "disk speed", "Not measured, since a daemon runs: `station status` shows whether its ledger can be written."
        )
        return
    try:
        with NamedTemporaryFile(dir=folder, prefix=".station-doctor-") as file:
            began = time.perf_counter()
            for _ in range(SYNCS):
                file.write(bytes(4096))
                file.flush()
                os.fsync(file.fileno())
            each = (time.perf_counter() - began) / SYNCS
    except OSError as exc:
        yield unknown("disk speed", f"Nothing can be written in {folder}: {exc.strerror}.")
        return
    if each > SLOW_SYNC:
        yield advice(
            "disk speed", f"A durable write takes {each * 1000:.1f} ms.", "Put the state folder on a local SSD."
        )
    else:
        yield good("disk speed", f"A durable write takes {each * 1000:.1f} ms.")


def _memory(station: str, slots: int) -> Finding:
    try:
        with SecretFiles.opened(f"{station}-doctor") as files:
            files.check(ROOM_IN_MEMORY)
    except SecretFilesUnavailable as fault:
        return bad(
            SHARED_MEMORY,
            str(fault),
            f"Give the station {(ROOM_IN_MEMORY * slots) >> 20} MiB in /dev/shm or in systemd's runtime directory.",
        )
    return good(SHARED_MEMORY, "Secret files have a place in memory.")


def _descriptors(slots: int) -> Finding:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = slots * DESCRIPTORS_AN_ATTEMPT + OTHER_DESCRIPTORS
    if limit < wanted:
        return bad(
            "descriptors",
            f"A process may open {limit} files, and {slots} slots need {wanted}.",
            f"Set LimitNOFILE={wanted} in the unit, or ulimit -n.",
        )
    return good("descriptors", f"A process may open {limit} files; {slots} slots need {wanted}.")
