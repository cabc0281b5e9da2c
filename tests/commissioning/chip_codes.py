# SPDX-License-Identifier: Apache-2.0
"""Which QR codes the CHIP SDK reads: a code a line on standard input; `true` or `false` on standard output for each."""

import ctypes
import sys
from pathlib import Path

import chip
from chip.setup_payload import setup_payload

library = ctypes.CDLL(str(Path(chip.__path__[0]) / "_ChipDeviceCtrl.so"))
error = ctypes.create_string_buffer(64)  # the SDK returns its error here
library["_ZN4chip8Platform10MemoryInitEPvm"](error, None, ctypes.c_size_t(0))
setup_payload.GetLibraryHandle = lambda: library  # the usual way to it starts a whole controller


def reads(code: str) -> bool:
    payload = setup_payload.SetupPayload()
    visitors = (payload.attribute_visitor, payload.vendor_attribute_visitor)
    return bool(library.pychip_SetupPayload_ParseQrCode(code.encode(), *visitors).is_success)


for line in sys.stdin:
    sys.stdout.write(f"{str(reads(line.rstrip())).lower()}\n")
