# SPDX-License-Identifier: Apache-2.0
"""The name of a board's USB port, as udev writes it in /dev/serial/by-path. Pure."""

import re

_INTERFACE = re.compile(
    r":\d+\.\d+(-port\d+)?$"
)  # a link's name ends in the USB interface, and an adapter's in its port
_REVISION = re.compile(r"-usbv\d+-")  # systemd 255 makes a second link that names the USB revision


def one_spelling(port: str) -> str:
    """The port in the older of udev's two spellings: `…-usb-0:1.1` for `…-usbv2-0:1.1`, too."""
    return _REVISION.sub("-usb-", port)


def port_of(link: str) -> str:
    """The port that a link in by-path names, in one spelling: `…-usb-0:1.1` for `…-usbv2-0:1.1:1.2`."""
    return one_spelling(_INTERFACE.sub("", link))
