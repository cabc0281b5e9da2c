# SPDX-License-Identifier: Apache-2.0
"""Doubt about a PKI that has failed a request: it is then asked for no further board until one request is answered."""

from dataclasses import dataclass, field

from station.domain.target import UID
from station.faults import LineFault
from station.faults.line import PKIAnswersLost

KEYS_RUNNING = 3  # keys in a row whose answers were lost, after which the PKI is asked for one board at a time


@dataclass(frozen=True, slots=True)
class Asker:
    """A board that may ask as soon as the PKI answers again."""

    csr: bytes
    uid: UID


@dataclass(slots=True)
class Doubt:
    """What the last requests have shown."""

    url: str
    askers: dict[str, Asker] = field(default_factory=dict)
    """Boards that were held back, by key: the request of one of them shows whether the PKI answers again."""
    trying: str | None = None
    """The held-back key whose request is made to see whether the PKI answers again."""
    _lost: list[str] = field(default_factory=list)
    _wrong: LineFault | None = None
    _failed: LineFault | None = None

    def check(self, key: str, csr: bytes, uid: UID) -> None:
        """Raises the fault for which no request may be made for this key, which is then held back."""
        if (fault := self.fault) is not None and key != self.trying:
            self.askers[key] = Asker(csr, uid)
            raise fault

    @property
    def fault(self) -> LineFault | None:
        """The reason why the PKI is not asked; None if it may be."""
        if self._wrong is not None:
            return self._wrong
        return PKIAnswersLost(self.url, len(self._lost)) if len(self._lost) >= KEYS_RUNNING else self._failed

    @property
    def needs_a_request(self) -> bool:
        """Whether only the answer to one board's request can show that the PKI works again."""
        return self._wrong is None and self.fault is not None

    def lost(self, key: str) -> None:
        """The answer to a request for this key was lost."""
        if key not in self._lost:
            self._lost.append(key)

    def answered(self, key: str) -> None:
        """The PKI has answered a request, whatever its answer."""
        self.askers.pop(key, None)
        self._lost.clear()
        self._failed = None

    def failed(self, fault: LineFault, key: str, asker: Asker) -> None:
        """A request for this key has ended with a fault of the line."""
        self._failed, self.askers[key] = fault, asker

    def unless_asked(self) -> None:
        """Without a board to ask for, a PKI that has merely failed a request counts as well again; one that loses answers does not."""
        if not self.askers:
            self._failed = None

    def wrong(self, fault: LineFault) -> None:
        """The PKI has issued a certificate that is none for a unit: the next one would be no better."""
        self._wrong = fault

    def forgive(self) -> None:
        """A person has looked: the next request decides."""
        self._wrong = self._failed = None
        del self._lost[KEYS_RUNNING - 1 :]
