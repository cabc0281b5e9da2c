# SPDX-License-Identifier: Apache-2.0
"""What fc-list says of Chinese fonts, and what it means where there is no fc-list."""

from pathlib import Path

import pytest

from station.adapters.system import fonts
from station.doctor import machine
from station.doctor.finding import State


@pytest.mark.parametrize(
    ("script", "found", "state"),
    [
        ("test \"$*\" = ':lang=zh family' && echo 'Noto Sans CJK SC'", True, State.GOOD),
        ("echo 'Fontconfig error: No writable cache directories' >&2", False, State.ADVICE),
        ("exit 1", None, State.ADVICE),
        (None, None, State.ADVICE),
    ],
)
async def test_a_page_in_chinese_wants_a_font(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, state: State, *, found: bool | None
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    if script is not None:
        (tmp_path / "fc-list").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "fc-list").chmod(0o755)
    assert await fonts.chinese() is found
    assert machine.chinese_font(found=found).state is state
