# SPDX-License-Identifier: Apache-2.0
"""Interprets ST's command line: writes and addresses, key storage, and the identity that a board gets.

Pure.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from station.domain.memory_map import (
    APPLICATION,
    COPROCESSOR_ADDRESS,
    EXTERNAL_FLASH,
    FACTORY_DATA_REGION,
    INTERNAL_FLASH,
    SECTOR,
)
from station.domain.product import KeyStorage, Verify
from station.domain.target import Region
from station.gen_factory_data.arguments import Spelling, Typed, UsageInvalid, spelling

MODES = {"test": KeyStorage.FLASH, "production": KeyStorage.SECURE}


class IdentityRule(StrEnum):
    """The identity that a board gets."""

    INPUT = "every board gets the identity in the input, with its certificates and keys"
    OWN = "every board gets its own identity; the input has the values that all boards share"
    SAME = "every board gets the identity in the input (laboratory only: never sell such units)"


@dataclass(frozen=True, slots=True)
class Placed:
    """A firmware file and its address."""

    what: str
    path: Path
    address: int

    def __str__(self) -> str:
        return f"{self.what}: {self.path} to 0x{self.address:08X}"


@dataclass(frozen=True, slots=True)
class Plan:
    """A consistent command line.

    Without `data_address` the block is written to a file beside the input, not flashed.
    """

    spelling: Spelling
    provisioning: bool
    json: Path | None
    binary: Path | None
    data_address: int | None
    coprocessor: Placed | None
    provisioner: Placed | None
    application: Placed | None
    script: Path | None
    key_storage: KeyStorage | None
    identity: IdentityRule
    verify: Verify

    @property
    def block(self) -> Path:
        """A new file beside the input, with the input's name; never an existing file."""
        source = self.json or self.binary
        assert source is not None  # a plan has an input
        path, number = source.with_suffix(".bin"), 0
        while path.exists():
            number += 1
            path = source.with_name(f"{source.stem}_{number}.bin")
        return path

    def said(self) -> Iterator[str]:
        """The plan in sentences, in the order in which things happen."""
        sources = " over ".join(str(path) for path in (self.json, self.binary) if path)
        if self.coprocessor:
            yield str(self.coprocessor)
        if self.data_address is None:
            yield f"factory data: {sources} to the file {self.block}; no board is touched"
            return
        yield f"factory data: {sources} to 0x{self.data_address:08X}"
        if self.provisioner:
            yield str(self.provisioner)
        if self.script:
            yield f"certificates: from {self.script}"
        if self.application:
            fast = (
                "; above 64 KiB it is verified by sector (--verify full: by byte)" if self.verify is Verify.FAST else ""
            )
            yield f"{self.application}{fast}"
        yield f"identity: {self.identity}"
        if self.provisioning:
            yield f"key: in {_STORAGE[self.key_storage]}"


_STORAGE = {
    KeyStorage.FLASH: "flash (test mode)",
    KeyStorage.SECURE: "the coprocessor's key storage (production mode)",
    None: "the provisioning firmware's own storage, whichever that is (no --mode)",
}


def plan(typed: Typed) -> Plan:
    """The plan that the options mean by ST's descriptions; raises `UsageInvalid` with every mistake."""
    spelled = spelling(typed)
    defaults = spelled is Spelling.OLDER and typed.provisioning == 1
    coprocessor_address = _first(
        typed.coprocessor_address, typed.older_coprocessor_address, COPROCESSOR_ADDRESS if defaults else None
    )
    application_address = _first(
        typed.application_address, typed.older_application_address, APPLICATION.address if defaults else None
    )
    data_address = _first(typed.data_address, FACTORY_DATA_REGION.address if defaults else None)
    mistakes = [
        *_missing(typed, spelled, data_address),
        *_misplaced(typed, data_address, application_address, coprocessor_address),
    ]
    if mistakes:
        raise UsageInvalid(mistakes)
    return Plan(
        spelling=spelled,
        provisioning=typed.provisioning == 1,
        json=typed.json,
        binary=typed.binary,
        data_address=data_address,
        coprocessor=_placed("wireless stack", typed.coprocessor or typed.older_coprocessor, coprocessor_address),
        provisioner=_placed("provisioning firmware", typed.provisioner or typed.older_provisioner, application_address),
        application=_placed("application", typed.application or typed.older_application, application_address),
        script=typed.provisioning_script if typed.provisioning else None,
        key_storage=MODES[typed.mode] if typed.mode else None,
        identity=_identity(typed),
        verify=Verify(typed.verify) if typed.provisioning else Verify.FULL,
    )


def _identity(typed: Typed) -> IdentityRule:
    if not typed.provisioning:
        return IdentityRule.INPUT
    return IdentityRule.SAME if typed.same_identity else IdentityRule.OWN


def _missing(typed: Typed, spelled: Spelling, data_address: int | None) -> Iterator[str]:
    """Options that are missing, and options that exclude one another."""
    names = _OPTIONS[spelled]
    provisioner = typed.provisioner or typed.older_provisioner
    application = typed.application or typed.older_application
    if not (typed.json or typed.binary):
        yield "--json or --binary is required"
    if spelled is Spelling.NEWER and typed.json and typed.binary:
        yield "--json and --binary exclude one another"
    if typed.provisioning:
        for name, given in (
            (names.provisioner, provisioner),
            ("--provisioning_script", typed.provisioning_script),
            (names.application, application),
        ):
            if given is None:
                yield f"{name} is required with --provisioning 1"
    elif typed.same_identity:
        yield "--same-identity is for --provisioning 1; with 0 all boards get the input's identity anyway"
    if spelled is Spelling.NEWER and data_address is None:
        yield "--flashAddr is required"
    firmware = [
        name
        for name, given in (
            (names.coprocessor, typed.coprocessor or typed.older_coprocessor),
            (names.provisioner, provisioner),
            (names.application, application),
        )
        if given
    ]
    if spelled is Spelling.OLDER and data_address is None and firmware:
        yield f"{firmware[0]} writes to boards: -flashAddr is required then, for the factory data"


def _misplaced(
    typed: Typed, data_address: int | None, application_address: int | None, coprocessor_address: int | None
) -> Iterator[str]:
    """Addresses that are missing, or that do not fit the part's memory."""
    names = _OPTIONS[spelling(typed)]
    images = [typed.provisioner or typed.older_provisioner, typed.application or typed.older_application]
    stack = typed.coprocessor or typed.older_coprocessor
    if any(images) and application_address is None:
        yield f"{names.application_address} is required with {names.application} or {names.provisioner}"
    if stack and coprocessor_address is None:
        yield f"{names.coprocessor_address} is required with {names.coprocessor}"
    if data_address is not None:
        if not EXTERNAL_FLASH.holds(Region(data_address, 1)):
            yield f"factory data at 0x{data_address:08X}: the external flash is {_range(EXTERNAL_FLASH)}"
        elif data_address % SECTOR:
            yield f"factory data at 0x{data_address:08X}: it must begin at a multiple of 0x{SECTOR:X}"
    for image in filter(None, images):
        if application_address is not None:
            yield from _outside("application", image, application_address)
    if stack and coprocessor_address is not None:
        yield from _outside("wireless stack", stack, coprocessor_address)


def _outside(what: str, path: Path, address: int) -> Iterator[str]:
    size = path.stat().st_size
    if not size:
        yield f"{path} is empty"
    elif not INTERNAL_FLASH.holds(Region(address, size)):
        yield f"{what} {path}, {size} bytes at 0x{address:08X}: the internal flash is {_range(INTERNAL_FLASH)}"


@dataclass(frozen=True, slots=True)
class _Options:
    """The option names of one spelling."""

    coprocessor: str
    provisioner: str
    application: str
    coprocessor_address: str
    application_address: str


_OPTIONS = {
    Spelling.OLDER: _Options("--m0", "--m4_provisioning", "--m4_matter", "-M0Addr", "-M4Addr"),
    Spelling.NEWER: _Options("--flashCoFW", "--flashProvisioningFW", "--flashAppFW", "--CoFwAddr", "--AppFwAddr"),
}


def _placed(what: str, path: Path | None, address: int | None) -> Placed | None:
    return None if path is None or address is None else Placed(what, path, address)


def _first(*values: int | None) -> int | None:
    return next((value for value in values if value is not None), None)


def _range(region: Region) -> str:
    return f"0x{region.address:08X} to 0x{region.end - 1:08X}"
