# SPDX-License-Identifier: Apache-2.0
"""Names of USB ports, as udev spells them in /dev/serial/by-path. Pure."""

import re

_INTERFACE = re.compile(r":\d+\.\d+$")  # a link's name ends with the USB interface, which is not part of the port
_REVISION = re.compile(r"-usbv\d+-")  # systemd 255 makes a second link, with the USB revision in its name


def one_spelling(port: str) -> str:
    """The port in the older of udev's two spellings: `…-usb-0:1.1` for `…-usbv2-0:1.1`, too."""
    return _REVISION.sub("-usb-", port)


def port_of(link: str) -> str:
    """The port that a link in by-path names, in one spelling: `…-usb-0:1.1` for `…-usbv2-0:1.1:1.2`."""
    return one_spelling(_INTERFACE.sub("", link))
