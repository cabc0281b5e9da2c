# SPDX-License-Identifier: Apache-2.0
"""The software bill of materials of the installed station (CycloneDX 1.6): what its environment has, without a network."""

import hashlib
import platform
import re
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata

from station.adapters.system import version

SPEC = "1.6"
_TYPES = {"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "LGPL-3.0-only", "MIT", "MPL-2.0", "PSF-2.0", "Zlib"}
_NAMED = re.compile(r"[-_.]+")
_REQUIRED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_LONGEST_LICENCE = 100  # a longer one is the licence's text


def document() -> dict[str, object]:
    """The bill of the environment in which this runs. The same environment has the same bill."""
    found = {_name(each): each for each in metadata.distributions()}
    own = found.pop(_canonical(version.DISTRIBUTION))
    components = [_component(each) for _, each in sorted(found.items())]
    digest = hashlib.sha256("\n".join(str(each["purl"]) for each in components).encode()).hexdigest()
    return {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPEC}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPEC,
        "serialNumber": _uuid(f"{own.version} {digest}"),
        "version": 1,
        "metadata": {
            "component": {**_component(own), "type": "application"},
            "properties": [
                {"name": "station:python", "value": platform.python_version()},
                {"name": "station:platform", "value": f"{sys.platform} {platform.machine()}"},
                {"name": "station:commit", "value": version.running().commit or "unknown"},
            ],
        },
        "components": components,
        "dependencies": [_dependencies(each, found) for each in (own, *(each for _, each in sorted(found.items())))],
    }


def _component(of: metadata.Distribution) -> dict[str, object]:
    purl = _purl(of)
    component: dict[str, object] = {
        "type": "library",
        "bom-ref": purl,
        "name": of.metadata["Name"],
        "version": of.version,
    }
    component["purl"] = purl
    if licences := _licences(of):
        component["licenses"] = licences
    record = of.read_text("RECORD")
    if record is not None:  # the hashes of all installed files: what was installed, whatever archive it came from
        digest = hashlib.sha256("\n".join(_fixed(record)).encode()).hexdigest()
        component["properties"] = [{"name": "station:record-sha256", "value": digest}]
    return component


def _fixed(record: str) -> Iterator[str]:
    """The files of a RECORD that do not differ from one installation to the next."""
    return (line for line in sorted(record.splitlines()) if not line.startswith("..") and ",sha256=" in line)


def _licences(of: metadata.Distribution) -> list[dict[str, object]]:
    given = of.metadata
    if "License-Expression" in given:
        return [{"expression": given["License-Expression"]}]
    named = given["License"].strip() if "License" in given else ""
    if named in _TYPES:
        return [{"license": {"id": named}}]
    if named and len(named) <= _LONGEST_LICENCE and "\n" not in named:
        return [{"license": {"name": named}}]
    classifiers = [
        each.split(" :: ")[-1] for each in given.get_all("Classifier") or () if each.startswith("License ::")
    ]
    return [{"license": {"name": each}} for each in classifiers]


def _dependencies(of: metadata.Distribution, found: Mapping[str, metadata.Distribution]) -> dict[str, object]:
    names = {_canonical(match[0]) for each in of.requires or () if (match := _REQUIRED.match(each))}
    return {"ref": _purl(of), "dependsOn": sorted(_purl(found[name]) for name in names if name in found)}


def _purl(of: metadata.Distribution) -> str:
    return f"pkg:pypi/{_name(of)}@{of.version.replace('+', '%2B')}"


def _name(of: metadata.Distribution) -> str:
    return _canonical(of.metadata["Name"])


def _canonical(name: str) -> str:
    return _NAMED.sub("-", name).lower()


def _uuid(text: str) -> str:
    """A version 8 UUID of this text (RFC 9562)."""
    digits = hashlib.sha256(text.encode()).hexdigest()
    return f"urn:uuid:{digits[:8]}-{digits[8:12]}-8{digits[13:16]}-a{digits[17:20]}-{digits[20:32]}"
