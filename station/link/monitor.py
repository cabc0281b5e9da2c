# SPDX-License-Identifier: Apache-2.0
"""The message of ST's demonstration firmware when it has provisioned itself: `finish:NNN`, without an end of line.

Pure. It sends 16 bytes every 3 seconds: the text, a NUL, and old bytes of its buffer. The stack's log shares the UART.
"""

import re

_FINISH = re.compile(rb"finish:(?P<code>[0-9]{3})(?![0-9])")
_LONGEST = len(b"finish:000") + 1  # with the byte behind it, which must not be a digit

OK, DATA_MISSING, BUFFER_TOO_SMALL, PARAMETER_WRONG, STORAGE_FAILED = range(5)


class FinishReader:
    """Finds the code in the UART's byte stream, among other bytes and in pieces of any size."""

    def __init__(self) -> None:
        self._text = b""

    def feed(self, data: bytes) -> int | None:
        """The first code seen, if any. It waits for the byte behind the digits, since the firmware always sends one."""
        self._text += data
        for found in _FINISH.finditer(self._text):
            if found.end() < len(self._text):
                return int(found["code"])
        self._text = self._text[-_LONGEST:]
        return None
