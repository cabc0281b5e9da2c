# SPDX-License-Identifier: Apache-2.0
"""`station drain` says that the daemon has ended only when nobody listens any more."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from station.cli.line import drain
from station.daemon import control


def absent(cause: Exception) -> Exception:
    fault = control.DaemonAbsent(Path("station.sock"))
    fault.__cause__ = cause
    return fault


def test_a_slow_or_mute_daemon_has_not_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: Iterator[Exception] = iter(
        [absent(TimeoutError()), control.DaemonMute(Path("station.sock")), absent(ConnectionRefusedError())]
    )

    def ask(_path: Path, _command: str) -> dict[str, object]:
        raise next(answers)

    monkeypatch.setattr(control, "ask", ask)
    assert [drain.ended(Path("station.sock")) for _ in range(3)] == [False, False, True]
