# SPDX-License-Identifier: Apache-2.0
"""The page of the settings and the JSON schemas are those of the code, and every setting has a reason."""

import json

import pytest

from tests.builders.settings import FILES, PAGE, SCHEMAS, page, reason, schema, tables


def test_the_page_is_that_of_the_code() -> None:
    """`python -m tests.builders.settings` writes the page."""
    assert PAGE.read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("name", FILES)
def test_the_schema_is_that_of_the_code(name: str) -> None:
    """An editor that goes by the schema refuses a setting that is not known."""
    text = (SCHEMAS / f"{name}.json").read_text(encoding="utf-8")
    assert text == schema(FILES[name][1])
    said = json.loads(text)
    assert said["additionalProperties"] is False
    assert str(SCHEMAS.parents[1]) not in text


@pytest.mark.parametrize("name", FILES)
def test_every_setting_has_a_reason(name: str) -> None:
    """A setting without a reason is one that nobody can set."""
    assert [
        f"[{heading}] {setting}"
        for heading, model in tables(FILES[name][1])
        for setting in model.model_fields
        if not reason(model, setting)
    ] == []
