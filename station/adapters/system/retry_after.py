# SPDX-License-Identifier: Apache-2.0
"""Reads the times in a server's headers, `Retry-After` and `Date`, whatever they hold. Pure."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST = 86400.0  # seconds; a server that asks for more is asked again after a day
LONGEST_TEXT = 100  # characters; longer dates are none
YEARS = range(1990, 9000)  # plausible years of a server's clock


def seconds(retry_after: str | None, now: datetime) -> float | None:
    """Retry-After as seconds from 0 to a day, a number or a date (RFC 9110, 10.2.3); None if it is neither.

    `now` is the present time by the clock of the server that sent the date.
    """
    text = (retry_after or "").strip()
    if text.isascii() and text.isdecimal():  # isdecimal alone accepts the digits of other scripts
        digits = text.lstrip("0") or "0"
        return LONGEST if len(digits) > len("86400") else min(float(digits), LONGEST)
    date = _date(text)
    return None if date is None else min(max((date - now).total_seconds(), 0.0), LONGEST)


def moment(date: str | None) -> datetime | None:
    """An HTTP date (RFC 9110, 5.6.7) in a plausible year, in UTC where it has no zone; None if it is not one."""
    found = _date((date or "").strip())
    return found if found is not None and found.year in YEARS else None


def _date(text: str) -> datetime | None:
    if not text.isascii() or len(text) > LONGEST_TEXT:
        return None
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, OverflowError, IndexError, TypeError):  # the parser forgets some cases
        return None
    return found.replace(tzinfo=found.tzinfo or UTC)
