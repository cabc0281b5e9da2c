# SPDX-License-Identifier: Apache-2.0
"""Exit codes are defined in one module, and whoever ends a command gets one of them."""

import ast
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from station.cli import exit_codes

A_MOMENT = 0.3  # seconds, in which the process begins to wait, as a rule
SILENT_FOR = 10.0  # seconds; on a busy machine an end may take as long, and must not meet a second SIGINT
CLI = Path(exit_codes.__file__).parent


def test_no_command_ends_with_a_number_of_its_own() -> None:
    found = [
        f"{source.relative_to(CLI)}:{node.lineno}"
        for source in CLI.rglob("*.py")
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"typer.Exit", "sys.exit", "SystemExit"}
        if any(isinstance(argument, ast.Constant) for argument in node.args)
    ]
    assert found == []


def heard(terminal: int, process: subprocess.Popen[bytes], *, interrupt: bool) -> bytes:
    """What the process says until its end.

    Ctrl-C is pressed again whenever it is silent for long: Python sleeps through one between its prompt and the beginning of its wait.
    """
    said = b""
    with suppress(OSError):  # the terminal's other end is closed
        while True:
            if interrupt and not select.select([terminal], [], [], SILENT_FOR)[0]:
                process.send_signal(signal.SIGINT)
            elif not (more := os.read(terminal, 4096)):
                break
            else:
                said += more
    return said


@pytest.mark.parametrize("ends", ["no", "Ctrl-C"])
def test_whoever_is_asked_may_end_the_command_without_a_traceback(tmp_path: Path, ends: str) -> None:
    """`secrets give-up` asks before it looks at anything."""
    ours, theirs = os.openpty()
    command = [
        sys.executable,
        "-m",
        "station",
        "secrets",
        "give-up",
        "--reason",
        "lost",
        "--ledger",
        str(tmp_path / "l"),
    ]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True) as process:
        os.close(theirs)
        said = b""
        while b"[y/N]" not in said:
            said += os.read(ours, 4096)
        if ends == "no":
            os.write(ours, b"n\n")
        else:
            time.sleep(A_MOMENT)
            process.send_signal(signal.SIGINT)
        said += heard(ours, process, interrupt=ends == "Ctrl-C")
    os.close(ours)
    assert process.returncode == exit_codes.INTERRUPTED
    assert b"Traceback" not in said
    assert said.endswith(b"Ended before it was done.\r\n")
