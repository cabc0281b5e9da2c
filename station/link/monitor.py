"""What ST's demonstration firmware says when it has provisioned itself: `finish:NNN`, without an end of line. Pure.

It sends 16 bytes, the text, a NUL and whatever its buffer held, again every 3 seconds; the stack's log shares the UART.
"""

import re

_FINISH = re.compile(rb"finish:(?P<code>[0-9]{3})(?![0-9])")
_LONGEST = len(b"finish:000") + 1  # with the byte behind it, which must not be a digit

OK, DATA_MISSING, BUFFER_TOO_SMALL, PARAMETER_WRONG, STORAGE_FAILED = range(5)


class FinishReader:
    """Finds the code in the UART's byte stream, whatever else is in it and whatever sizes it arrives in."""

    def __init__(self) -> None:
        self._text = b""

    def feed(self, data: bytes) -> int | None:
        """The first code seen, if any. The byte behind the digits is waited for: the firmware always sends it."""
        self._text += data
        for found in _FINISH.finditer(self._text):
            if found.end() < len(self._text):
                return int(found["code"])
        self._text = self._text[-_LONGEST:]
        return None
