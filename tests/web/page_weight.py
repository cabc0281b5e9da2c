# SPDX-License-Identifier: Apache-2.0
"""What a browser loads for the operator's page, as it is served; the engineers' pages have files of their own."""

import re
from collections.abc import Mapping

from station.web.assets import Asset

IMPORTED = re.compile(rb'from "\./(\w+\.js)"')
# A language was to have 12 KB when the catalogue had 78 faults; it has more than 110, each with its sentence.
LIMITS = {"scripts": 40_000, "style": 20_000, "largest language": 13_000}  # bytes


def parts(files: Mapping[str, Asset]) -> dict[str, bytes]:
    """By the names of the limits."""
    modules, met = {"page.js"}, set[str]()
    while modules:
        met.add(name := modules.pop())
        modules |= {each.decode() for each in IMPORTED.findall(files[name].content)} - met
    return {
        "scripts": b"".join(files[name].content for name in sorted(met)),
        "style": files["page.css"].content,
        "largest language": max((asset.content for name, asset in files.items() if "strings/" in name), key=len),
    }
