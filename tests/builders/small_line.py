# SPDX-License-Identifier: Apache-2.0
"""The shortest configuration of a line, for tests of commands that read nothing else."""


def small_line(slot: str) -> str:
    """A line with one slot of this name, whose files need not be there."""
    return f"""
recipe = "recipe.toml"
[station]
name = "line-1"
state = "."
[programmer]
cli = "cli"
external_loader = "loader"
[hotplug]
source = "poll"
[[slot]]
name = "{slot}"
path = "pci-0000:00:14.0-usb-0:1.1"
"""
