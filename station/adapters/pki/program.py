# SPDX-License-Identifier: Apache-2.0
"""A program of the factory's own that brings the request to the PKI: CSR on its standard input, certificate on its standard output.

docs/pki.md has its contract.
"""

import asyncio
import base64
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from pathlib import Path

from cryptography import x509

from station.adapters.pki import answers
from station.adapters.pki.answers import NoCertificates
from station.adapters.pki.enroller import AnswerUnusable, Issued, NotNow, Outcome
from station.adapters.pki.http_answer import MAX_ANSWER, one_line
from station.adapters.system import environment, retry_after
from station.adapters.system.child import Budget, Child, OverBudget, Patience
from station.domain.credentials import csr_key
from station.faults.line import (
    PKIAnswerInvalid,
    PKIAuthoritiesInvalid,
    PKIFileUnusable,
    PKIRefusedStation,
    PKIUnavailable,
)
from station.faults.resources import named, no_process
from station.faults.unit import CSRRejected

# the program gets neither settings nor secrets of the station
BUDGET = Budget(size=MAX_ANSWER)
AT_ONCE = Patience(interrupted=0.0, terminated=0.0)
_RETRY_AFTER = re.compile(r"retry-after:(.*)", re.IGNORECASE)


class Status(IntEnum):
    """The exit statuses by which a program tells what became of the request. Any other may have issued a certificate."""

    ISSUED = 0
    REQUEST_REFUSED = 10
    """The PKI refuses this request, and nothing was issued: the board fails."""
    NOT_NOW = 11
    """Nothing was issued; the same request may be made later."""
    PENDING = 12
    """The PKI has the request and decides later; the program is run again with the same request."""
    STATION_REFUSED = 13
    """The PKI refuses this station, and nothing was issued: the line pauses."""


@dataclass(frozen=True, slots=True)
class _Ended:
    status: int
    printed: bytes
    complaint: str
    """The last line of the standard error."""
    after: float | None


@dataclass(eq=False)
class _Cut(Exception):
    """The program was killed, since it did not end in time or printed too much."""

    reason: str
    printed: bytes


class _Late(_Cut):
    """It did not end in time."""


class _Flood(_Cut):
    """It printed too much."""


class Program:
    """The programs of `[pki.exec]`, as a PKI."""

    lacks: tuple[str, ...] | None = None
    certificate_days: int | None = None

    def __init__(
        self, url: str, command: Sequence[str], *, check: Sequence[str] | None, within: float, pinned: x509.Certificate
    ) -> None:
        self.url = url
        self._command = command
        self._check = check
        self._within = within
        self._pinned = pinned

    def time(self) -> datetime | None:
        """See `Provider`: a program tells no time."""
        return None

    def look(self) -> None:
        """See `Provider`: the station shows a program no certificate."""

    async def enroll(self, csr: bytes) -> Issued:
        """See `Enroller`."""
        try:
            ended = await self._run(self._command, _pem(csr))
        except _Late as exc:
            self._check_nothing_came(csr, exc.reason, exc.printed)
            raise NotNow(exc.reason, Outcome.UNKNOWN) from exc
        except _Flood as exc:
            kept = exc.printed[:MAX_ANSWER]
            raise AnswerUnusable(PKIAnswerInvalid(self.url, exc.reason), kept, answers.readable_in(kept)) from exc
        if ended.status != Status.ISSUED:
            self._check_nothing_came(csr, _told(ended), ended.printed)
            raise self._refusal(ended)
        try:
            certificates = answers.certificates_in(ended.printed)
        except NoCertificates as exc:
            fault = PKIAnswerInvalid(self.url, f"the program printed {exc}, expected a certificate in PEM")
            raise AnswerUnusable(fault, ended.printed, answers.readable_in(ended.printed)) from exc
        key = csr_key(csr)
        carrying = [each for each in certificates if answers.key_of(each) == key]
        if len(carrying) != 1:
            what = f"the program printed {len(carrying)} certificates for the key {key}, expected one"
            raise AnswerUnusable(PKIAnswerInvalid(self.url, what), ended.printed, tuple(certificates))
        return Issued(carrying[0], tuple(each for each in certificates if each not in carrying))

    def _check_nothing_came(self, csr: bytes, ending: str, printed: bytes) -> None:
        """Raises AnswerUnusable for a certificate that a program prints and then does not stand by: it was issued, and is kept."""
        certificates = answers.readable_in(printed)
        if csr_key(csr) in map(answers.key_of, certificates):
            fault = PKIAnswerInvalid(self.url, f"the program printed a certificate for the key, but: {ending}")
            raise AnswerUnusable(fault, printed, certificates)

    async def issued_for(self, csr: bytes) -> None:
        """See `Enroller`: a program shows no list."""

    async def authorities(self) -> list[x509.Certificate]:
        """See `Enroller`: what `check` prints, or else the pinned authority."""
        if self._check is None:
            _check_startable(Path(self._command[0]))
            return [self._pinned]
        try:
            ended = await self._run(self._check, b"")
        except _Cut as exc:
            raise PKIUnavailable(self.url, f"check: {exc.reason}") from exc
        if ended.status == Status.STATION_REFUSED:
            raise PKIRefusedStation(self.url, ended.complaint)
        if ended.status != Status.ISSUED:
            raise PKIUnavailable(self.url, f"check: {_told(ended)}")
        try:
            return [x509.load_der_x509_certificate(each) for each in answers.certificates_in(ended.printed)]
        except (NoCertificates, ValueError) as exc:
            raise PKIAuthoritiesInvalid(self.url, f"check printed {one_line(str(exc))}") from exc

    def _refusal(self, ended: _Ended) -> Exception:
        match ended.status:
            case Status.REQUEST_REFUSED:
                return CSRRejected(_told(ended))
            case Status.NOT_NOW:
                return NotNow(_told(ended), Outcome.NOTHING_ISSUED, ended.after)
            case Status.PENDING:
                return NotNow("the PKI has not decided yet", Outcome.PENDING, ended.after)
            case Status.STATION_REFUSED:
                return PKIRefusedStation(self.url, _told(ended))
            case _:
                return NotNow(_told(ended), Outcome.UNKNOWN, ended.after)

    async def _run(self, command: Sequence[str], given: bytes) -> _Ended:
        """Raises `_Late`, `_Flood`, and faults after which nothing was issued. However it ends, the program's group is dead."""
        gone = asyncio.Event()
        gone.set()  # a kill leaves nothing behind that a slower end would clean up
        printed = bytearray()
        with _pipes(given) as (reads, complains, complaints):
            try:
                async with (
                    asyncio.timeout(self._within),
                    Child.started(
                        command,
                        environment=environment.for_others(),
                        gone=gone,
                        patience=AT_ONCE,
                        budget=BUDGET,
                        reads=reads,
                        complains=complains,
                    ) as child,
                ):
                    async for data in child.raw():
                        printed += data
                    status = await child.ended()
            except TimeoutError as exc:
                raise _Late(_late(self._within, _all_of(complaints)), bytes(printed)) from exc
            except OverBudget as exc:
                raise _Flood(f"it printed more than {MAX_ANSWER} bytes", bytes(printed)) from exc
            except OSError as exc:
                if fault := no_process(f"start {command[0]}", exc):
                    raise fault from exc
                raise PKIFileUnusable(command[0], f"cannot be started: {exc.strerror}") from exc
            told = _all_of(complaints).decode(errors="replace").splitlines()
        return _Ended(status, bytes(printed), _last(told), _asked_to_wait(told))


@contextmanager
def _pipes(given: bytes) -> Iterator[tuple[int, int, int]]:
    """The program's standard input, which holds these bytes, and both ends of its standard error."""
    with named("open pipes for a program of the PKI"):
        reads, feeds = os.pipe()
        complaints, complains = os.pipe()
    try:
        os.write(feeds, given)  # a request is far smaller than a pipe
        os.close(feeds)
        os.set_blocking(complaints, False)
        yield reads, complains, complaints
    finally:
        for each in (reads, complaints, complains):
            os.close(each)


def _all_of(complaints: int) -> bytes:
    """What the program printed on its standard error, up to the size of a pipe: at a full one it waits until it is killed."""
    try:
        return os.read(complaints, MAX_ANSWER)
    except BlockingIOError:
        return b""


def _late(within: float, printed: bytes) -> str:
    reason = f"the program did not end within {within:g} s, and was killed"
    if len(printed) == MAX_ANSWER:
        return f"{reason}; it printed {MAX_ANSWER} bytes on its standard error, and more has no room"
    last = _last(printed.decode(errors="replace").splitlines())
    return f"{reason}: {last}" if last else reason


def _last(lines: Sequence[str]) -> str:
    """The last line that says something else than when to come back."""
    said = (one_line(line) for line in reversed(lines))
    return next((line for line in said if line and not _RETRY_AFTER.fullmatch(line)), "")


def _asked_to_wait(lines: Sequence[str]) -> float | None:
    found = [match[1] for line in lines if (match := _RETRY_AFTER.fullmatch(line.strip()))]
    return retry_after.seconds(found[-1], datetime.now(UTC)) if found else None


def _told(ended: _Ended) -> str:
    ending = f"signal {-ended.status}" if ended.status < 0 else f"exit status {ended.status}"
    return f"{ending}: {ended.complaint or 'nothing on its standard error'}"


def _check_startable(program: Path) -> None:
    if not program.is_file():
        raise PKIFileUnusable(str(program), "is not there, or is no file")
    if not os.access(program, os.X_OK):
        raise PKIFileUnusable(str(program), "may not be executed by this account")


def _pem(csr: bytes) -> bytes:
    return b"-----BEGIN CERTIFICATE REQUEST-----\n" + base64.encodebytes(csr) + b"-----END CERTIFICATE REQUEST-----\n"
