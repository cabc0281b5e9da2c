# SPDX-License-Identifier: Apache-2.0
"""Paths of a configuration on this machine: what lies there instead of what the station needs, in one sentence."""

import errno
import os
from pathlib import Path

from station.config import plain_files


def file_mistake(path: Path, what: str) -> str | None:
    """Why this is no file that the station can read; None if it is one."""
    if mistake := _absence(path, what):
        return mistake
    if path.is_dir():
        return f"found the folder {path}, expected {what}, which is a file"
    if not path.is_file():
        return f"found {path}, which is neither file nor folder, expected {what}"
    if not os.access(path, os.R_OK):
        return f"{path} may not be read by this account: give it the right to read {what}"
    return None


def executable_mistake(path: Path) -> str | None:
    """Why this cannot be started; None if it can."""
    what = "the programmer's executable, STM32_Programmer_CLI"
    if path.is_dir():
        inside = next(
            (each for each in (path / "STM32_Programmer_CLI", path / "bin/STM32_Programmer_CLI") if each.is_file()),
            None,
        )
        return f"found the folder {path}, expected {what}" + (f'; did you mean "{inside}"?' if inside else "")
    if mistake := file_mistake(path, what):
        return mistake
    if not os.access(path, os.X_OK):
        return f"{path} may not be executed by this account, expected {what}: chmod a+x {path}"
    return None


def folder_mistake(path: Path, what: str) -> str | None:
    """Why the station cannot keep files in this folder, which it makes if it is missing; None if it can."""
    if path.is_dir():
        if not os.access(path, os.W_OK | os.X_OK):
            return f"this account may not write in {path}, expected a folder for {what} that belongs to it"
        return None
    if path.exists() or path.is_symlink():
        return f"found {path}, which is no folder, expected a folder for {what}"
    above = next((each for each in path.parents if each.exists()), Path("/"))
    if not above.is_dir():
        return f"{path} cannot be made, since {above} is a file, expected a folder for {what}"
    if not os.access(above, os.W_OK | os.X_OK):
        return f"there is no folder {path}, and this account may not make it in {above}: make a folder for {what}, and give it to the account"
    return None


def written_file_mistake(path: Path, what: str) -> str | None:
    """Why the station cannot write this file, which it makes if it is missing; None if it can."""
    if path.is_dir():
        return f'found the folder {path}, expected a file for {what}; did you mean "{path / "station.jsonl"}"?'
    if path.exists():
        return (
            None
            if os.access(path, os.W_OK)
            else f"{path} may not be written by this account, expected a file for {what}"
        )
    return folder_mistake(path.parent, what)


def _absence(path: Path, what: str) -> str | None:
    try:
        path.stat()
    except FileNotFoundError:
        if path.is_symlink():
            return f"{path} is a link to nothing, expected {what}"
        above = next((each for each in path.parents if each.exists()), Path("/"))
        return f"there is no file {path}, expected {what}" + (
            f"; {above} is as far as the path exists" if above != path.parent else plain_files.meant(path)
        )
    except OSError as exc:
        if exc.errno == errno.ELOOP:
            return f"{path} is a link that leads back to itself, expected {what}"
        return f"{path} cannot be looked at: {exc.strerror}, expected {what}"
    return None
