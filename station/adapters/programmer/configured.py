# SPDX-License-Identifier: Apache-2.0
"""The programmer as a line's configuration has it."""

from station.adapters.programmer.run import Deadlines, Installation
from station.adapters.system.child import Patience
from station.adapters.system.secret_files import SecretFiles
from station.config.line import Config


def installation_of(config: Config, scratch: SecretFiles) -> Installation:
    programmer = config.programmer
    return Installation(programmer.cli, programmer.external_loader, scratch, config.locks, deadlines_of(config))


def deadlines_of(config: Config) -> Deadlines:
    programmer = config.programmer
    return Deadlines(
        connect_within=programmer.connect_within,
        idle_within=programmer.idle_within,
        upgrade_within=programmer.upgrade_within,
        patience=Patience(programmer.stop_within, programmer.stop_within),
    )
