# SPDX-License-Identifier: Apache-2.0
"""Sources of factory data: ST's JSON, ST's records, a dump of the flash, or JSON over one of these. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from station.factory_data import flat_tlv, st_json
from station.factory_data.flat_tlv import OFFSET_IN_FLASH, REGION_SIZE, FactoryData, Mistake, Tag, refuse

CERTIFIED = (
    Tag.DEVICE_ATTESTATION_CERTIFICATE,
    Tag.PAI_CERTIFICATE,
    Tag.DEVICE_ATTESTATION_PRIV_KEY,
    Tag.DEVICE_ATTESTATION_PUB_KEY,
)
ONBOARDING = (
    Tag.SETUP_DISCRIMINATOR,
    Tag.SPAKE2_ITERATION_COUNT,
    Tag.SPAKE2_SALT,
    Tag.SPAKE2_VERIFIER,
)
PRODUCT = (
    Tag.CERTIFICATION_DECLARATION,
    Tag.VENDOR_NAME,
    Tag.VENDOR_ID,
    Tag.PRODUCT_NAME,
    Tag.PRODUCT_ID,
    Tag.HARDWARE_VERSION,
    Tag.HARDWARE_VERSION_STRING,
)


@dataclass(frozen=True, slots=True)
class Source:
    """Factory data, with sentences that name its source and its changes and hold no secret."""

    data: FactoryData
    said: tuple[str, ...]


def read(*, json: bytes | None, binary: bytes | None, verbose: bool = False) -> Source:
    """Reads the given sources. JSON overrides binary, and every change is listed. Raises `FactoryDataInvalid`.

    Unlike ST's script it refuses unknown names, invalid JSON, and records that are cut off.
    """
    under = flat_tlv.decode(binary) if binary is not None else FactoryData({})
    over = st_json.from_json(json) if json is not None else FactoryData({})
    said = [f"binary: {_dumped(binary)}{_counted(under)}"] if binary is not None else []
    if json is not None:
        said.append(f"JSON: {_counted(over)}")
    if verbose:
        said += [f"{name}: {line}" for name, part in (("binary", under), ("JSON", over)) for line in _listed(part)]
    if json is not None and binary is not None:
        said += _changes(under, over)
    return Source(FactoryData({**under.records, **over.records}), tuple(said))


def check_whole(data: FactoryData, *, certified: bool) -> None:
    """Raises `FactoryDataInvalid` for missing records and, unless `certified`, for records that only provisioning may add."""
    needed = (*PRODUCT, *ONBOARDING, *(CERTIFIED if certified else ()))
    mistakes = [Mistake(tag.name, "missing") for tag in needed if tag not in data.records]
    if not certified:
        reason = "belongs to one unit and comes with its certificates; --provisioning 1 takes input without"
        if early := [tag.name for tag in CERTIFIED if tag in data.records]:
            mistakes.append(Mistake(", ".join(early), reason))
    refuse(mistakes)


def _dumped(binary: bytes) -> str:
    return f"a dump of the flash, read at 0x{OFFSET_IN_FLASH:X}, " if len(binary) > REGION_SIZE else ""


def _counted(data: FactoryData) -> str:
    return f"{len(data.records)} record{'' if len(data.records) == 1 else 's'}"


def _changes(under: FactoryData, over: FactoryData) -> Iterator[str]:
    """The records of the binary that the JSON changed, added or left."""
    for tag, new in sorted(over.records.items()):
        old = under.records.get(tag)
        if old is None:
            yield f"JSON added {tag.name}: {_shown(over, tag)}"
        elif old == new:
            yield f"JSON left {tag.name} as it was"
        else:
            yield f"JSON changed {tag.name}: {_shown(under, tag)} to {_shown(over, tag)}"


def _listed(data: FactoryData) -> Sequence[str]:
    return [f"{tag.name}: {_shown(data, tag)}" for tag in sorted(data.records)]


def _shown(data: FactoryData, tag: Tag) -> str:
    shown = st_json.to_json(data)[tag.name]
    return shown if isinstance(shown, str) else f"{len(shown)} bytes"
