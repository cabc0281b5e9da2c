# SPDX-License-Identifier: Apache-2.0
"""How long a certificate lasts, as a finding. Pure but for the clock."""

from datetime import UTC, datetime, timedelta

from station.doctor.finding import Finding, advice, bad, good
from station.domain.issuance import EXPIRES_SOON


def time_left(check: str, whose: str, until: datetime, remedy: str) -> Finding:
    """`whose` begins the sentence, as in "The station's certificate"."""
    left = until - datetime.now(UTC)
    if left < timedelta(0):
        return bad(check, f"{whose} has expired.", remedy)
    text = f"{whose} is valid for {left.days} more days."
    return advice(check, text, remedy) if left < timedelta(days=EXPIRES_SOON) else good(check, text)
