# SPDX-License-Identifier: Apache-2.0
"""Deeds of a person on slots and line."""

from datetime import UTC, datetime

from station.domain.intervention import Deed, Intervention

AT = datetime(2026, 11, 23, 8, 15, 30, 250_000, tzinfo=UTC)


def by_anna(
    deed: Deed, slot: str | None = None, *, fault: str | None = None, reason: str = "pins are dirty", at: datetime = AT
) -> Intervention:
    return Intervention(at, "anna", deed, slot, fault, reason)
