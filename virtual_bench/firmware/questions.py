"""Numbers of the provisioning link, version 1, and the refusal that carries one of its statuses. Pure."""

from enum import IntEnum

PROTOCOL = 1
ANSWER = 0x80
REFUSED = 0xFF
UNASKED = 0


class Question(IntEnum):
    HELLO = 0x01
    MAKE_CSR = 0x02
    STORE = 0x03
    PROVE = 0x04


class Status(IntEnum):
    """0 to 4 are ST's codes, as in `finish:NNN`."""

    OK = 0
    NO_FACTORY_DATA = 1
    TOO_SMALL = 2
    PARAMETER = 3
    SECURE_STORAGE = 4
    NOT_MY_KEY = 5
    CRYPTO = 6
    FLASH = 7
    NO_KEY = 8
    UNKNOWN_QUESTION = 9
    OTHER_DAC = 10


class Refusal(Exception):
    """A question that is answered with nothing but a status."""

    def __init__(self, status: Status) -> None:
        super().__init__(status)
        self.status = status
