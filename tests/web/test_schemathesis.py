# SPDX-License-Identifier: Apache-2.0
"""The API against its own description: requests that schemathesis makes up, right ones and wrong ones, with a token and without."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from station.web import routes

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("with_token", [True, False], ids=["token", "no token"])
def test_every_answer_is_as_described(tmp_path: Path, *, with_token: bool) -> None:
    """Whatever is asked, no answer is a server's error, or one that the description does not have."""
    command = [sys.executable, "-m", "tests.web.schemathesis_asks", str(tmp_path), *(["--token"] if with_token else [])]
    environment = os.environ | {"XDG_STATE_HOME": str(tmp_path / "machine")}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    assert found.keys() == {f"{route.method} {route.path}" for route in routes.ROUTES}
    assert not [failure for _, failure in found.values() if failure]
    assert all(asked for asked, _ in found.values())
