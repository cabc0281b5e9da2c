# SPDX-License-Identifier: Apache-2.0
"""What the CHIP SDK reads in QR codes: a code a line on standard input; on standard output for each, after `code: `, its values as JSON, or null."""

import ctypes
import json
import sys
from pathlib import Path

import chip
from chip.setup_payload import setup_payload

library = ctypes.CDLL(str(Path(chip.__path__[0]) / "_ChipDeviceCtrl.so"))
error = ctypes.create_string_buffer(64)  # the SDK returns its error here
library["_ZN4chip8Platform10MemoryInitEPvm"](error, None, ctypes.c_size_t(0))
setup_payload.GetLibraryHandle = lambda: library  # the usual way to it starts a whole controller

NAMES = {
    "vendor_id": "VendorID",
    "product_id": "ProductID",
    "discriminator": "Long discriminator",
    "passcode": "SetUpPINCode",
}


def read(code: str) -> dict[str, int] | None:
    payload = setup_payload.SetupPayload()
    visitors = (payload.attribute_visitor, payload.vendor_attribute_visitor)
    if not library.pychip_SetupPayload_ParseQrCode(code.encode(), *visitors).is_success:
        return None
    return {name: int(payload.attributes[theirs]) for name, theirs in NAMES.items()}


for line in sys.stdin:
    sys.stdout.write(f"code: {json.dumps(read(line.rstrip()))}\n")
