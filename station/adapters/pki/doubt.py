# SPDX-License-Identifier: Apache-2.0
"""Doubt about a PKI whose answers get lost or are wrong: it is then asked for no further board until one request is answered."""

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
        return PKIAnswersLost(self.url, len(self._lost)) if self.answers_get_lost else None

    @property
    def answers_get_lost(self) -> bool:
        return len(self._lost) >= KEYS_RUNNING

    def lost(self, key: str) -> None:
        """The answer to a request for this key was lost."""
        if key not in self._lost:
            self._lost.append(key)

    def answered(self, key: str) -> None:
        """The PKI has answered a request, whatever its answer."""
        self.askers.pop(key, None)
        self._lost.clear()

    def wrong(self, fault: LineFault) -> None:
        """The PKI has issued a certificate that is none for a unit: the next one would be no better."""
        self._wrong = fault

    def forgive(self) -> None:
        """A person has looked: the next request decides."""
        self._wrong = None
        del self._lost[KEYS_RUNNING - 1 :]
