# SPDX-License-Identifier: Apache-2.0
"""A programmer starts processes outside its group: the daemon ends them, but only after their programmer has ended."""

from pathlib import Path

import pytest

from tests.builders.line import Line
from tests.builders.station_demo import SHORT_DEADLINES
from tests.line.standing_line import Standing

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]

# A wrapper of the bench's programmer: it starts three processes in new sessions, the last one with a cleared environment.
# Their pids are recorded and must stay alive as long as their programmer runs.
WRAPPER = """#!/bin/sh
cd '{folder}'
setsid sleep 1000 &
one=$!
setsid sleep 1000 >/dev/null 2>&1 &
two=$!
setsid env -i /bin/sleep 1000 &
three=$!
echo $one $two $three >> started
'{programmer}' "$@"
status=$?
kill -0 $one && kill -0 $two && kill -0 $three || echo $$ >> robbed
exit $status
"""


def children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def test_what_a_programmer_starts_out_of_its_group_ends_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two slots work at the same time; no process is left, and every board passes."""
    for name, value in SHORT_DEADLINES.items():
        monkeypatch.setenv(name, value)
    with Line.standing(tmp_path / "line", 2, time_scale=0.02) as line:
        standing = Standing(line)
        cli = line.folder / "STM32CubeProgrammer" / "bin" / "STM32_Programmer_CLI"
        programmer = cli.rename(cli.with_name("programmer"))
        cli.write_text(WRAPPER.format(folder=tmp_path, programmer=programmer))
        cli.chmod(0o755)
        standing.bench("plug", "--all")
        for slot in (1, 2):
            assert standing.wait(slot, lambda slot: slot.verdict is not None, 60).state == "pass"
        daemon = line.processes["daemon"].pid
        standing.until(lambda: children(daemon) == [])
    started = (tmp_path / "started").read_text().split()
    assert len(started) >= 2 * 3 * 3
    assert not any(Path(f"/proc/{pid}").exists() for pid in started)
    assert not (tmp_path / "robbed").exists()
