# SPDX-License-Identifier: Apache-2.0
"""What the line needs besides the PC: programmer, PKI and ledger. The PKI is asked for its authorities and issues nothing."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from station.adapters.ledger import lot_reader, soundness, sqlite
from station.adapters.ledger.register import Register, folder_for
from station.adapters.pki import providers
from station.adapters.pki.enroller import NotNow
from station.adapters.programmer import probe_list, tool_version
from station.config import plain_files
from station.config.line import Config
from station.config.sections import PKISection
from station.doctor.finding import Finding, advice, bad, good, unknown
from station.doctor.time_left import time_left
from station.domain.work_order import LotState
from station.faults import Fault
from station.faults.line import (
    PKIAddressWrong,
    PKIAuthoritiesInvalid,
    PKIForbidden,
    PKIProtocolWrong,
    PKIRefusedStation,
    PKIUntrusted,
)
from station.line import wall_clock
from station.matter.certificates.pem import CERTIFICATE, PEMInvalid, der_of

OLD = timedelta(days=2)
CLOSE = timedelta(seconds=60)


async def programmer(config: Config) -> Finding:
    """The version against the tested ones."""
    cli = config.programmer.cli
    try:
        version = await tool_version.version_of(cli)
    except tool_version.NotTheProgrammer as exc:
        return bad("programmer", f"{cli} {exc}.", "Install STM32CubeProgrammer, and set [programmer] cli.")
    if not tool_version.is_tested(version):
        tested = ", ".join(tool_version.TESTED)
        return advice(
            "programmer", f"{cli} is version {version}, with which the station was not tested.", f"Use one of {tested}."
        )
    return good("programmer", f"{cli} is version {version}, which is tested.")


async def probes(config: Config, *, runs: bool) -> Finding:
    """The firmware of the probes, which the programmer is asked for; beside a running line it is not."""
    if runs:
        text = "Not asked, since a daemon runs: `station units show` has the probe's firmware of every attempt."
        return good("probe firmware", text)
    try:
        found = await probe_list.listed(config.programmer.cli)
    except tool_version.NotTheProgrammer as exc:
        return unknown("probe firmware", f"{config.programmer.cli} {exc}.")
    if found is None:
        return unknown("probe firmware", f"{config.programmer.cli} gives no list of probes.")
    firmware = Counter(probe.firmware for probe in found if probe.firmware)
    silent = [probe.serial_number for probe in found if not probe.firmware]
    text = ", ".join(f"{version} on {number}" for version, number in sorted(firmware.items()))
    text = f"Of {len(found)} probes: {text or 'no firmware was told'}."
    if silent:
        return advice("probe firmware", f"{text} Not told by {', '.join(silent)}.", "End what holds those probes.")
    if len(firmware) > 1:
        return advice("probe firmware", text, "Upgrade the older ones: probes of one line should be alike.")
    return good("probe firmware", text)


async def pki(section: PKISection | None) -> AsyncIterator[Finding]:
    """Reach, mutual TLS, the PAI, and the time left to the station's certificate."""
    if section is None:
        yield good("PKI", "This line needs no PKI.")
        return
    if section.certificate is not None:
        yield _time_left(section.certificate)
    try:
        async with providers.opened(section) as client:
            answered = await client.authorities()
            lacks, moment = client.lacks, client.time()
        authorities = {each.public_bytes(Encoding.DER) for each in answered}
        pai = der_of(plain_files.read(section.pai), *CERTIFICATE, first=True)
    except NotNow as exc:
        yield bad("PKI", f"{section.place} asks to wait {exc.after or 0:.0f} s: {exc.reason}", "Wait, and ask again.")
        return
    except (Fault, OSError, PEMInvalid) as exc:
        yield bad("PKI", str(exc), _remedy(exc) if section.exec is None else "Check the programs of [pki.exec].")
        return
    if section.exec is not None:
        yield _program_answers(section)
        if section.exec.check is None:
            return
    else:
        yield good("PKI", f"{section.url} answers, and accepts the station{_by_what(section)}.")
        yield _clock(moment)
    if lacks:
        text = f"The PKI wants something of requests that boards' requests do not have: {', '.join(lacks)}."
        yield advice("requests", text, "If the PKI refuses requests, ask it for a profile without that.")
    if section.authorities == "pinned":
        yield good("PAI", f"The PAI of {section.pai} is pinned, and the PKI's list is not compared with it.")
        return
    if pai in authorities:
        yield good("PAI", "The PKI names the pinned PAI among its authorities.")
    else:
        yield bad(
            "PAI",
            f"The PKI does not name the PAI of {section.pai}.",
            "Ask the PKI under which PAI it issues, and pin that one.",
        )


def _by_what(section: PKISection) -> str:
    return "'s certificate" if section.certificate is not None else ""


def _program_answers(section: PKISection) -> Finding:
    if section.exec is not None and section.exec.check is not None:
        return good("PKI", "The program of [pki.exec] check has named the authorities.")
    return unknown("PKI", "Without [pki.exec] check nothing is asked before a board needs its DAC.")


def _remedy(exc: Exception) -> str:
    match exc:
        case PKIAddressWrong() | PKIAuthoritiesInvalid():
            return "Check [pki] url."
        case PKIProtocolWrong():
            return "Check [pki] url and tls_floor."
        case PKIRefusedStation() | PKIForbidden():
            return "Check the certificate and the secrets in [pki], and the rights that the PKI gives them."
        case PKIUntrusted():
            return "Check [pki] url and ca, and the server's certificate."
        case _:
            return "Check url, network, and the certificates in [pki]."


def _clock(moment: datetime | None) -> Finding:
    """This computer's clock against the PKI's, whose `Date` has whole seconds and came at some time during the answer."""
    if moment is None:
        return unknown("clock offset", "The PKI's answers have no Date to compare the clock with.")
    ahead = datetime.now(UTC) - moment
    seconds = round(abs(ahead).total_seconds())
    text = f"This computer's clock is {seconds} s {'ahead of' if ahead > timedelta(0) else 'behind'} the PKI's."
    remedy = "Set the clock that is wrong, and keep it by NTP."
    if abs(ahead) > wall_clock.TOLERANCE:
        return bad("clock offset", f"{text} The line would pause.", remedy)
    if abs(ahead) > CLOSE:
        return advice("clock offset", text, remedy)
    return good("clock offset", f"This computer's clock is within {CLOSE.seconds} s of the PKI's.")


def _time_left(certificate: Path) -> Finding:
    try:
        der = der_of(plain_files.read(certificate), *CERTIFICATE, first=True)
        until = x509.load_der_x509_certificate(der).not_valid_after_utc
    except (OSError, ValueError, PEMInvalid) as exc:
        return bad("station's certificate", f"{certificate} cannot be read: {exc}.", "Set [pki] certificate.")
    return time_left("station's certificate", "The station's certificate", until, "Ask your PKI for a new one.")


def ledger(config: Config) -> Iterator[Finding]:
    """Whether the ledger is sound, and the age of its last backup. It is only read."""
    path = config.ledger
    if not path.exists():
        yield good("ledger", f"There is no ledger at {path} yet: the first start makes one.")
        return
    try:
        with sqlite.reading(path) as connection:
            connection.rollback()
            soundness.check(connection, path)
        yield good("ledger", f"{path} is sound.")
        register = Register(folder_for(path, config.station.witness))
        record = register.at(path)
        backup = register.last_backup(record.ledger) if record else None
    except Fault as fault:
        yield bad(
            "ledger", str(fault), "See docs/operating.md for a damaged ledger; restore the last backup if need be."
        )
        return
    if record is None:
        yield unknown("backup", "This machine's register does not know this ledger.")
    elif backup is None:
        yield bad("backup", "The ledger was never backed up.", "station ledger backup FOLDER, every day.")
    else:
        age = datetime.now(UTC) - datetime.fromisoformat(backup.at)
        text = f"The last backup is {age.days} days and {age.seconds // 3600} hours old."
        yield bad("backup", text, "station ledger backup FOLDER, every day.") if age > OLD else good("backup", text)


def work_order(config: Config) -> Iterator[Finding]:
    """Whether a new unit could begin, in a ledger that has had a work order."""
    try:
        found = lot_reader.standing(config.ledger) if config.ledger.exists() else None
    except Fault:
        return  # the ledger's own finding tells it
    if found is None:
        return
    lot, open_one = found.lot, "station lots open"
    if lot.state is not LotState.OPEN:
        yield advice("work order", f"No work order is open; {lot.name} is {lot.state}.", open_one)
    elif found.warning is not None:
        yield advice("work order", f"Lot {lot.name}: {found.warning}", f"Prepare the next order: {open_one}")
    else:
        yield good("work order", f"Lot {lot.name} is open, and {found.left.units} units may still begin.")
