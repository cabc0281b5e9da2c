# SPDX-License-Identifier: Apache-2.0
"""The engineer's pages as Jinja2 templates, the one home of jinja2. A name that a template does not have is an error; all text is escaped."""

import shlex
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from station.adapters.ledger.tables import iso

if TYPE_CHECKING:
    from jinja2 import Environment


def local(moment: datetime | None) -> str:
    """The moment in this computer's time zone, with the zone; empty for None."""
    return "" if moment is None else f"{moment.astimezone():%Y-%m-%d %H:%M:%S %Z}"


def percent(share: float | None) -> str:
    """A share from 0 to 1 as per cent; "none" for that of nothing."""
    return "none" if share is None else f"{100 * share:.1f} %"


def segment(name: str) -> str:
    """A name as one segment of a path, which `urlencode` would cut at a slash."""
    return quote(name, safe="")


def rendered(name: str, **values: object) -> str:
    """The page of this template."""
    return _environment().get_template(f"{name}.html").render(values)


@cache
def _environment() -> "Environment":
    from jinja2 import (
        Environment,
        FileSystemLoader,
        StrictUndefined,
    )  # 2 MB, which a line whose pages nobody reads saves

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "local": local,
        "percent": percent,
        "segment": segment,
        "shell": shlex.quote,
        "iso": iso,
    }
    return environment
