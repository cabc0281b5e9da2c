# SPDX-License-Identifier: Apache-2.0
"""Which of the hotplug sources a configuration means, and whether it can work on this machine."""

import sys
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from station.config.problems import ConfigurationInvalid, Problem
from station.config.sections import HotplugSection
from station.interfaces import BoardArrived, Hotplug

_REMEDY = (
    'where boards are shown by links alone, as in a container, set source = "links" and the directory of the links'
)
_DIRECTORY = "set the directory that holds by-path and by-id, which is /dev/serial on most machines"


def missing(setting: HotplugSection) -> str | None:
    """Why this source cannot tell which boards are plugged in here, with the remedy; None if it can."""
    match setting.source:
        case "udev" if sys.platform != "linux":
            return 'udev is a part of Linux: set source = "poll"'
        case "udev" if not (control := setting.udev / "control").exists():
            return f"udev does not run on this machine: there is no {control}. Start systemd-udevd; {_REMEDY}"
        case "links" if sys.platform != "linux":
            return 'links are watched on Linux alone: set source = "poll"'
        case "links":
            return _never_has_links(setting.links)
        case _:
            return None


def _never_has_links(directory: Path) -> str | None:
    if directory.exists() and not directory.is_dir():
        return f"{directory} is no folder: {_DIRECTORY}"
    if directory.name in {"by-path", "by-id"}:
        return f"{directory} is one of the two folders in the directory of the links; did you mean {directory.parent}?"
    return None


def check(setting: HotplugSection, file: Path) -> None:
    """Raises `ConfigurationInvalid` where the source that this file names cannot work here."""
    if sentence := missing(setting):
        raise ConfigurationInvalid([Problem(file, "hotplug.source", sentence)])


def watching(setting: HotplugSection) -> AbstractAsyncContextManager[Hotplug]:
    """The source for the block."""
    match setting.source:
        case "udev":
            from station.adapters.hotplug import udev

            return udev.watching()
        case "links":
            from station.adapters.hotplug import links

            return links.watching(setting.links)
        case "poll":
            from station.adapters.hotplug import poll

            return poll.watching()


def boards_now(setting: HotplugSection) -> dict[str, BoardArrived]:
    """The boards that are there, by their USB ports. Boards that cannot be told apart are all refused."""
    match setting.source:
        case "udev":
            from station.adapters.hotplug import udev

            return udev.boards_now()
        case "links":
            from station.adapters.hotplug import links

            return links.boards_in(setting.links)
        case "poll":
            from station.adapters.hotplug import poll

            return poll.boards_now()
