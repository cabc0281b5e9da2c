# SPDX-License-Identifier: Apache-2.0
"""Signs a webhook as Standard Webhooks have it: HMAC-SHA256 over id, time and body. Pure."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import quote


def headers(event_id: str, body: bytes, at: datetime, keys: Sequence[bytes]) -> dict[str, str]:
    """The headers of one try. The id is that of the event, so that a repetition is known by it."""
    name, timestamp = webhook_id(event_id), str(int(at.timestamp()))
    found = {"webhook-id": name, "webhook-timestamp": timestamp}
    if keys:
        signed = b".".join((name.encode(), timestamp.encode(), body))
        found["webhook-signature"] = " ".join(f"v1,{_mac(key, signed)}" for key in keys)
    return found


def webhook_id(event_id: str) -> str:
    """The event's id as a header has it: a station's name may have letters that a header cannot hold."""
    return quote(event_id, safe="/:@!$&'()*+,;=~-_ ").strip()


def _mac(key: bytes, signed: bytes) -> str:
    return base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
