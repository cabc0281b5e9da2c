# SPDX-License-Identifier: Apache-2.0
"""A provisioning script like ST's: it imports `common`, prints colours, and blocks until the board has finished."""

import common
import serial
from common import GREEN, RED, RESET


def read_from_com_port(header: str, port: str) -> str:
    """The first `finish:` message; like ST's script it waits for ever."""
    common.thread_safe_print(f"{header}{common.get_current_timestamp()} waiting on {port}")
    with serial.Serial(port, 115200, timeout=1) as ser:
        said = b""
        while True:
            said += ser.read(16)
            at = said.find(b"finish:")
            if at >= 0 and len(said) >= at + 10:
                return said[at : at + 10].decode()


def Provisioning(provision_mode: int, header: str, port: str) -> tuple[str, int]:  # noqa: N802  ST's name
    """Waits for the firmware to provision itself."""
    said = read_from_com_port(header, port)
    if said != "finish:000":
        return f"{RED}{header}provisioning failed: {said}{RESET}", common.RET_ERROR
    return f"{GREEN}{header}mode {provision_mode} done{RESET}", common.RET_OK
