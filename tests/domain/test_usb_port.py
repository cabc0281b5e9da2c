# SPDX-License-Identifier: Apache-2.0
"""The USB port in a link's name."""

import pytest

from station.domain.usb_port import port_of


@pytest.mark.parametrize(
    "link",
    [
        "pci-0000:00:14.0-usb-0:1.1:1.2",
        "pci-0000:00:14.0-usbv2-0:1.1:1.2",
        "pci-0000:00:14.0-usb-0:1.1:1.0-port0",
    ],
    ids=["a probe's", "with the USB revision", "a serial adapter's"],
)
def test_all_links_of_one_port_name_it_alike(link: str) -> None:
    """Neither interface nor revision nor an adapter's own port is a place."""
    assert port_of(link) == "pci-0000:00:14.0-usb-0:1.1"
