# SPDX-License-Identifier: Apache-2.0
"""Lets a station draw passcodes and discriminators from so few that another one draws the same."""

import secrets

from station.matter.onboarding.passcode import TRIVIAL_PASSCODES, Discriminator, Passcode

DISCRIMINATORS = 64


def draw_from(space: int) -> None:
    """From so many pairs of passcode and discriminator."""
    passcodes = max(1, space // DISCRIMINATORS)

    def passcode(cls: type[Passcode]) -> Passcode:
        while (value := 1 + secrets.randbelow(passcodes)) in TRIVIAL_PASSCODES:
            pass
        return cls(value)

    Passcode.random = classmethod(passcode)  # type: ignore[assignment,method-assign]
    Discriminator.random = classmethod(lambda cls: cls(secrets.randbelow(DISCRIMINATORS)))  # type: ignore[assignment,method-assign]
