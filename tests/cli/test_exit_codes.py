# SPDX-License-Identifier: Apache-2.0
"""Exit codes are defined in one module."""

import ast
from pathlib import Path

from station.cli import exit_codes

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
