# SPDX-License-Identifier: Apache-2.0
"""What a line of the audit trail records of a row: the SHA-256 of its values, in the order of these columns."""

import hashlib
import json
from collections.abc import Sequence

_PLAIN = json.JSONEncoder(separators=(",", ":"))

ATTEMPT_BEGUN = (
    "station",
    "slot",
    "probe",
    "tty",
    "recipe",
    "recipe_sha256",
    "images",
    "started_at",
    "station_version",
    "station_commit",
)
"""Of an attempt without a verdict."""
_SUMMED = ("lot", "uid", "dac_serial_number", "verdict", "fault", "ended_at", "seconds", "steps", "laboratory")
ATTEMPT = (*ATTEMPT_BEGUN, *_SUMMED)
IDENTITY = ("uid", "lot", "lot_index", "serial_number", "discriminator", "manufacturing_date", "reserved_at", "state")
REQUEST = ("key", "uid", "csr", "submitted_at", "outcome", "reason", "answered_at", "due_at", "excused", "closed")
CERTIFICATE = ("key", "dac_serial_number", "dac", "pai", "issued_at")


def digest(values: Sequence[object]) -> str:
    """The SHA-256 of the values as JSON, in which bytes are hexadecimal already."""
    return hashlib.sha256(_PLAIN.encode(values).encode("ascii")).hexdigest()
