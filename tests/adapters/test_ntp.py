# SPDX-License-Identifier: Apache-2.0
"""What timedatectl says of the clock, and what it means where there is none."""

from pathlib import Path

import pytest

from station.adapters.system import ntp


@pytest.mark.parametrize(
    ("script", "synchronised"),
    [
        ("echo yes", True),
        ("echo no", False),
        ("echo 'System has not been booted with systemd as init system' >&2; exit 1", None),
        ("echo maybe", None),
        ("exit 0", None),
        (None, None),
    ],
)
async def test_the_answer_is_yes_no_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, *, synchronised: bool | None
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    if script is not None:
        (tmp_path / "timedatectl").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "timedatectl").chmod(0o755)
    assert await ntp.synchronised() is synchronised
