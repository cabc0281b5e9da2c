# SPDX-License-Identifier: Apache-2.0
"""The seconds of an attempt's steps as bytes of one length, since a hundred thousand attempts must be read at once. Pure."""

from array import array
from collections.abc import Mapping, Sequence

from station.domain.attempt import Phase

# The ledger has the seconds in this order: a new step goes to the end.
ORDER = (
    Phase.RECOGNISE,
    Phase.COPROCESSOR,
    Phase.FLASH_DATA,
    Phase.FLASH_PROVISIONER,
    Phase.AWAIT_CSR,
    Phase.RELAY_TO_PKI,
    Phase.DELIVER,
    Phase.FLASH_OPERATIONAL,
    Phase.CONFIRM,
    Phase.LOCK,
)
_NONE = -1.0
_SIZE = 8 * len(ORDER)
_SWAPPED = (
    array("H", [1]).tobytes() == b"\0\1"
)  # the machine's order of bytes is not the ledger's, which has the lowest first


def packed(seconds: Mapping[str, float]) -> bytes:
    """The seconds of the finished steps."""
    return _in_order(array("d", (seconds.get(phase.value, _NONE) for phase in ORDER))).tobytes()


def unpacked(attempts: Sequence[bytes]) -> "dict[str, array[float]]":
    """The seconds of each step that any of the attempts has finished, attempt by attempt."""
    short = min(map(len, attempts), default=_SIZE) < _SIZE  # written before the newest step was known
    nothing = packed({})
    whole = [each + nothing[len(each) :] for each in attempts] if short else attempts
    values = _in_order(array("d", b"".join(whole)))
    found = {}
    for at, phase in enumerate(ORDER):
        column = values[at :: len(ORDER)]
        if _NONE in column:
            column = array("d", [value for value in column if value != _NONE])
        if column:
            found[phase.value] = column
    return found


def _in_order(values: "array[float]") -> "array[float]":
    if _SWAPPED:
        values.byteswap()
    return values
