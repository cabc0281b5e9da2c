# SPDX-License-Identifier: Apache-2.0
"""The files that `[audit]` names: the key that signs, and the folder for copies."""

from collections.abc import Iterator

from station.adapters.ledger.checkpoint_file import signing_key
from station.adapters.ledger.key_file import KeyUnusable
from station.config.problems import Problem
from station.doctor.paths import folder_mistake
from station.doctor.settings import Settings


def mistakes(settings: Settings) -> Iterator[Problem]:
    """What is wrong with the settings of `[audit]` on this machine."""
    key = None
    named, copies = settings.path("audit", "signing_key"), settings.path("audit", "copy_to")
    token = settings.text("audit", "signing_token")
    try:
        key = signing_key(named, token)
    except KeyUnusable as exc:
        yield Problem(settings.file, f"audit.{'signing_key' if token is None else 'signing_token'}", str(exc))
        return
    if copies is None:
        return
    if key is None:
        yield Problem(
            settings.file, "audit.copy_to", "needs a key that signs what is copied: audit.signing_key or signing_token"
        )
    if not copies.is_dir():  # which the station never makes, since it may be a share that is not mounted
        mistake: str | None = f"there is no folder {copies}, expected one for copies of checkpoints: is it mounted?"
    else:
        mistake = folder_mistake(copies, "copies of checkpoints")
    if mistake:
        yield Problem(settings.file, "audit.copy_to", mistake)
