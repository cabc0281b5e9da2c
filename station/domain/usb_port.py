# SPDX-License-Identifier: Apache-2.0
"""The name of a board's USB port, as udev writes it in /dev/serial/by-path. Pure."""

import re
from functools import lru_cache

# A link's name ends in the USB interface, and an adapter's in its port.
_INTERFACE = re.compile(r":\d+\.\d+(-port\d+)?$")
_LINK = re.compile(r"-\d+:\d+(?:\.\d+)*(?P<interface>:\d+\.\d+(?:-port\d+)?)$")  # a whole link's name
_REVISION = re.compile(r"-usbv\d+-")  # systemd 255 makes a second link that names the USB revision


def one_spelling(port: str) -> str:
    """The port in the older of udev's two spellings: `…-usb-0:1.1` for `…-usbv2-0:1.1`, too."""
    return _REVISION.sub("-usb-", port)


@lru_cache(maxsize=1024)
def port_of(link: str) -> str:
    """The port that a link in by-path names, in one spelling: `…-usb-0:1.1` for `…-usbv2-0:1.1:1.2`."""
    return one_spelling(_INTERFACE.sub("", link))


def place_meant(path: str) -> str:
    """The port that a person means who wrote a link's name, or its whole path, in either spelling."""
    name = path.strip().rpartition("/")[2]
    return port_of(name) if _LINK.search(name) else one_spelling(name)


def mistake_in(path: str) -> str | None:
    """Why no board can ever stand at a port of this name, with the name that was probably meant; None if one can."""
    name = path.strip().rpartition("/")[2]
    link = _LINK.search(name)
    meant = f'; did you mean "{place_meant(path)}"?'
    if "/by-id/" in path or re.match(r"usb-(?!\d)", name):
        return (
            f'found "{path}", the name of one probe, expected the name of a USB port, as `station ports` and /dev/serial/by-path '
            "show it: the slot is the place, whatever probe is there"
        )
    if re.fullmatch(r"tty[A-Z]+\d+", name):
        return f'found "{path}", which changes with the order of plugging in, expected a USB port, as `station ports` shows it'
    if "/" in path:
        return f'found "{path}", expected the name of a USB port without the folder in front{meant}'
    if path != path.strip():
        return f'found "{path}", expected no blanks around the name of a USB port{meant}'
    if link:
        interface = link["interface"]
        return f'found "{path}", expected the name of a USB port without the interface "{interface}" at its end{meant}'
    return None
