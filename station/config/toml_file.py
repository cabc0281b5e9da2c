# SPDX-License-Identifier: Apache-2.0
"""A TOML file that people edit: its text and its tables, or why it is none, with the place."""

import tomllib
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from pathlib import Path
from typing import NamedTuple

from station.config import plain_files, toml_mistakes
from station.config.problems import ConfigurationInvalid, Problem


class TOML(NamedTuple):
    """One reading of a file: text without the byte order mark, and tables."""

    text: str
    tables: dict[str, object]


def read(path: Path) -> TOML:
    """Raises `ConfigurationInvalid` for what is unreadable or is not TOML. A byte order mark is passed over."""
    content = b""
    try:
        content = plain_files.read(path)
        text = content.decode("utf-8-sig")
        return TOML(text, tomllib.loads(text))
    except OSError as exc:
        text = f"cannot be read: {exc.strerror}{plain_files.meant(path)}"
        raise ConfigurationInvalid([Problem(path, "", text)]) from exc
    except UnicodeDecodeError as exc:
        if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
            text = "is not UTF-8, but UTF-16, by the byte order mark at its start: save it as UTF-8"
            raise ConfigurationInvalid([Problem(path, "byte 0", text)]) from exc
        if b"\0" in content:
            raise ConfigurationInvalid([Problem(path, "", "is not a text, expected a file in TOML")]) from exc
        line = content.count(b"\n", 0, exc.start) + 1
        text = f"is not UTF-8: found the byte 0x{content[exc.start]:02X} in line {line}; save the file as UTF-8"
        raise ConfigurationInvalid([Problem(path, f"byte {exc.start}", text)]) from exc
    except tomllib.TOMLDecodeError as exc:
        raise ConfigurationInvalid(
            [Problem(path, "", toml_mistakes.sentence(content.decode("utf-8-sig"), exc))]
        ) from exc


def read_toml(path: Path) -> dict[str, object]:
    """The file's tables; raises `ConfigurationInvalid`."""
    return read(path).tables
