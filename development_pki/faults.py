# SPDX-License-Identifier: Apache-2.0
"""The switches that make the authority fail on purpose, for tests and campaigns. Pure."""

from collections.abc import Mapping
from enum import Enum

FOR_EVER = -1


class Fault(Enum):
    """The faults; options and JSON use the names in lower case."""

    PENDING = "the server answers an enrolment with 202 and Retry-After"
    BUSY = "the server answers an enrolment with 503 and Retry-After"
    DROP_AFTER_ISSUE = "the server issues a certificate, and cuts the connection before the answer"
    GARBAGE = "the server issues a certificate, but its answer holds none"
    WRONG_KEY = "the certificate carries another key than the request"
    WRONG_PRODUCT = "the certificate carries another product id"
    EXPIRED = "the certificate has expired"
    DOWN = "the server cuts the connection at any EST request, before it does anything"


class Faults:
    """The number of times that each fault still happens; FOR_EVER: until it is set again."""

    def __init__(self) -> None:
        self._left = dict.fromkeys(Fault, 0)

    def __str__(self) -> str:
        return ", ".join(f"{name} {left}" for name, left in self.left.items() if left) or "none"

    @property
    def left(self) -> dict[str, int]:
        return {fault.name.lower(): left for fault, left in self._left.items()}

    def set(self, changes: object) -> None:
        """Sets the named faults and leaves the others.

        Raises ValueError or TypeError, and sets none, if any entry is wrong.
        """
        if not isinstance(changes, Mapping):
            raise TypeError("a table of faults and how many times each strikes is expected")
        accepted: dict[Fault, int] = {}
        for name, times in changes.items():
            if name not in self.left:
                raise ValueError(f"{name}: no such fault; there are {', '.join(self.left)}")
            if type(times) is not int or times < FOR_EVER:
                raise ValueError(f"{name}: how many times? 0 or more, or {FOR_EVER} for ever")
            accepted[Fault[name.upper()]] = times
        self._left |= accepted

    def strikes(self, fault: Fault) -> bool:
        """Returns whether the fault happens this time, and if so counts it."""
        left = self._left[fault]
        self._left[fault] = max(left - 1, 0) if left != FOR_EVER else FOR_EVER
        return left != 0
