# SPDX-License-Identifier: Apache-2.0
"""The bill of materials has what CycloneDX 1.6 requires, and every distribution that is installed."""

import json
import re
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import pytest

from tests.builders.commands import station

TYPES = {"application", "library"}
LICENCE_IDS = {
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "LGPL-3.0-only",
    "MIT",
    "MPL-2.0",
    "PSF-2.0",
    "Zlib",
}
COMPONENT = {"type", "bom-ref", "name", "version", "purl", "licenses", "properties"}


@pytest.fixture(scope="module")
def bill(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    file = tmp_path_factory.mktemp("sbom") / "sbom.json"
    assert station("evidence", "sbom", "-o", file).exit_code == 0
    said = json.loads(file.read_text())
    assert isinstance(said, dict)
    return said


def components(bill: Mapping[str, object]) -> list[dict[str, object]]:
    listed = bill["components"]
    assert isinstance(listed, list)
    return listed


def own(bill: Mapping[str, object]) -> dict[str, object]:
    about = bill["metadata"]
    assert isinstance(about, dict)
    found = about["component"]
    assert isinstance(found, dict)
    return found


def licence_is_one(licences: object) -> bool:
    """Either one expression, or licences with an SPDX identifier or a name (the schema's `licenseChoice`)."""
    if not isinstance(licences, list) or not licences:
        return False
    if [set(each) for each in licences] == [{"expression"}]:
        return True
    kinds = [each["license"] for each in licences if set(each) == {"license"}]
    named = [each for each in kinds if set(each) == {"name"} or (set(each) == {"id"} and each["id"] in LICENCE_IDS)]
    return len(named) == len(licences)


def test_the_bill_is_cyclonedx(bill: Mapping[str, object]) -> None:
    assert (bill["bomFormat"], bill["specVersion"], bill["version"]) == ("CycloneDX", "1.6", 1)
    uuid = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    assert re.fullmatch(f"urn:uuid:{uuid}", str(bill["serialNumber"]))
    every = [own(bill), *components(bill)]
    for each in every:
        assert each.keys() <= COMPONENT
        assert each["type"] in TYPES
        assert all(isinstance(each[key], str) and each[key] for key in ("name", "version", "purl"))
        assert "licenses" not in each or licence_is_one(each["licenses"]), each["name"]
    refs = [each["bom-ref"] for each in every]
    assert len(set(refs)) == len(refs)


def test_every_distribution_is_in_the_bill(bill: Mapping[str, object]) -> None:
    """With the version that is installed; what it needs is in the bill, too."""
    listed = {str(each["name"]): each["version"] for each in [own(bill), *components(bill)]}
    assert listed == {each.metadata["Name"]: each.version for each in metadata.distributions()}
    refs = {each["bom-ref"] for each in [own(bill), *components(bill)]}
    needs = bill["dependencies"]
    assert isinstance(needs, list)
    assert {each["ref"] for each in needs} == refs
    assert {name for each in needs for name in each["dependsOn"]} <= refs
    (station_needs,) = (each["dependsOn"] for each in needs if each["ref"] == own(bill)["bom-ref"])
    assert [name for name in station_needs if name.startswith("pkg:pypi/sqlalchemy@")]


def test_the_same_environment_has_the_same_bill(bill: Mapping[str, object], tmp_path: Path) -> None:
    again = tmp_path / "again.json"
    assert station("evidence", "sbom", "-o", again).exit_code == 0
    assert json.loads(again.read_text()) == bill
