# SPDX-License-Identifier: Apache-2.0
"""The switches of the development PKI as docs/development-pki.md lists them; `python -m tests.builders.switches` writes them there."""

from pathlib import Path

from development_pki.faults import Fault, Place, Value

PAGE = Path(__file__).parents[2] / "docs" / "development-pki.md"
HEAD = "| switch | what happens | parameters |\n|---|---|---|\n"


def switches() -> str:
    """The tables, one for each place where switches strike."""
    return "\n".join(
        f"**{place.value}.**\n\n{HEAD}" + "".join(_row(fault) for fault in Fault.at(place)) for place in Place
    )


def page() -> str:
    """The page as it should be."""
    text = PAGE.read_text(encoding="utf-8")
    return text.partition("**")[0] + switches()


def _row(fault: Fault) -> str:
    parameters = "; ".join(f"`{name}`: {_shown(value)}" for name, value in fault.parameters.items())
    return f"| `{fault.label}` | {fault.sentence} | {parameters} |\n"


def _shown(value: Value | tuple[str, ...]) -> str:
    if isinstance(value, tuple):
        return ", ".join(f"`{word}`" for word in value)
    return "by default that of `--retry-after`" if value is None else f"by default {value}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
