# SPDX-License-Identifier: Apache-2.0
"""Values of an attempt as a recording's JSON has them, and back. Pure; no entry has a place for a secret."""

import base64
from collections.abc import Iterator, Mapping

from station.adapters.ledger import events
from station.domain.attempt import CoprocessorReady, Event
from station.domain.credentials import Credentials
from station.domain.disposition import Disposition
from station.domain.identity import Confirmation, Identity, IdentityState, OnboardingSecrets
from station.domain.past import Past
from station.domain.target import UID
from station.faults import Fault
from station.matter.onboarding import spake2p
from station.matter.onboarding.passcode import Discriminator, Passcode

FORMAT = 1
MOST_SALT, MOST_ITERATIONS = 64, 100_000  # Matter's salts have 32 bytes at most, and are stretched so many times
STAND_IN = Passcode(34567821)  # in place of every unit's own


class EntryInvalid(ValueError):
    """An entry that this version does not understand."""


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def bytes_of(text: object) -> bytes:
    try:
        return base64.b64decode(str(text), validate=True)
    except ValueError as exc:
        raise EntryInvalid("bytes that are no base64") from exc


def fault_entry(fault: Fault) -> dict[str, object]:
    """The fault's class and its fields; no field of any fault holds a secret."""
    names = getattr(fault, "__dataclass_fields__", {})
    return {"fault": fault.code, "fields": {name: _plain(getattr(fault, name)) for name in names}}


def fault_of(entry: Mapping[str, object]) -> Fault:
    """The fault of an entry; raises `EntryInvalid` for one that there is no more."""
    kind = _kinds().get(str(entry.get("fault")))
    fields = entry.get("fields")
    if kind is None or not isinstance(fields, Mapping):
        raise EntryInvalid(f"the fault {entry.get('fault')} is unknown to this version")
    try:
        return kind(**{str(name): value for name, value in fields.items()})
    except TypeError as exc:
        raise EntryInvalid(f"the fault {kind.code} has other fields in this version") from exc


def event_entry(event: Event) -> dict[str, object]:
    return {"type": event.on_disk.name, "body": events.body(event)}


def event_of(entry: Mapping[str, object]) -> Event:
    body = entry.get("body")
    try:
        return events.event(str(entry.get("type")), body if isinstance(body, Mapping) else {})
    except (KeyError, TypeError, ValueError) as exc:
        raise EntryInvalid(f"the event {entry.get('type')} is unknown to this version") from exc


def credentials_entry(credentials: Credentials | None) -> dict[str, object] | None:
    return None if credentials is None else {"dac": base64_of(credentials.dac), "pai": base64_of(credentials.pai)}


def past_entry(past: Past) -> dict[str, object]:
    return {
        "state": past.state,
        "provisioned": past.provisioned,
        "released": past.released,
        "disposition": past.disposition,
    }


def past_of(entry: Mapping[str, object]) -> Past:
    state = entry["state"]
    return Past(
        None if state is None else IdentityState(str(state)),
        bool(entry["provisioned"]),
        bool(entry["released"]),
        Disposition(str(entry["disposition"])),
    )


def identity_entry(identity: Identity | None) -> dict[str, object] | None:
    """An identity without passcode, salt, verifier and rotating device id."""
    if identity is None:
        return None
    last, stack = identity.confirmation, identity.coprocessor
    return {
        "ordinal": identity.ordinal,
        "attempts": identity.attempts,
        "state": identity.state,
        "serial_number": identity.serial_number,
        "discriminator": identity.secrets.discriminator.value,
        "iterations": identity.secrets.iterations,
        "salt": len(identity.secrets.salt),
        "manufacturing_date": identity.manufacturing_date,
        "rotating_device_id": None if identity.rotating_device_id is None else len(identity.rotating_device_id),
        "credentials": credentials_entry(identity.credentials),
        "confirmation": None if last is None else {"images": sorted(last.images), "touched": last.touched},
        "coprocessor": None if stack is None else events.body(stack),
    }


def identity_of(entry: Mapping[str, object], uid: UID, credentials: Credentials | None) -> Identity:
    """The identity with stand-ins for its secrets, which fit one another."""
    salt = bytes(range(_number(entry["salt"], MOST_SALT)))
    iterations = _number(entry["iterations"], MOST_ITERATIONS)
    onboarding = OnboardingSecrets(
        passcode=STAND_IN,
        discriminator=Discriminator(_number(entry["discriminator"])),
        salt=salt,
        iterations=iterations,
        verifier=spake2p.verifier(STAND_IN, salt, iterations),
    )
    rotating, last, stack = entry["rotating_device_id"], entry["confirmation"], entry["coprocessor"]
    return Identity(
        uid=uid,
        ordinal=_number(entry["ordinal"]),
        attempts=_number(entry["attempts"]),
        state=IdentityState(str(entry["state"])),
        serial_number=str(entry["serial_number"]),
        secrets=onboarding,
        manufacturing_date=str(entry["manufacturing_date"]),
        credentials=credentials,
        rotating_device_id=None if rotating is None else "A" * _number(rotating, MOST_SALT),
        confirmation=Confirmation(frozenset(last["images"]), bool(last["touched"])) if isinstance(last, dict) else None,
        coprocessor=events.of(CoprocessorReady, stack) if isinstance(stack, dict) else None,
    )


def _number(value: object, most: int = 1 << 32) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise EntryInvalid(f"{str(value)[:40]!a} where a number is expected")
    return value


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, str | int | float) else str(value)


def _kinds() -> dict[str, type[Fault]]:
    return {kind.code: kind for kind in _below(Fault) if "code" in vars(kind)}


def _below(kind: type[Fault]) -> Iterator[type[Fault]]:
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)
