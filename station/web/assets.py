# SPDX-License-Identifier: Apache-2.0
"""The page's files, read once from the package: markup, styles, scripts, and the words in each language."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from station.web.catalogue import ENTRIES

FOLDER = Path(__file__).with_name("assets")
LANGUAGES = ("en", "de", "zh")
PAGE = "page.html"
COMMENT = re.compile(rb"(?m)^ *(?://(?! SPDX)|/\*\*.*\*/$).*")
"""A comment with a line of its own, which stays, so that errors name the right one."""
TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    content: bytes
    media_type: str
    etag: str

    @classmethod
    def of(cls, name: str, content: bytes) -> "Asset":
        return cls(content, TYPES[Path(name).suffix], hashlib.sha256(content).hexdigest()[:16])


@dataclass(frozen=True, slots=True)
class Assets:
    version: str
    """Names the content of all files together."""
    page: Asset
    files: Mapping[str, Asset]
    """By path, below /assets/."""


def strings(language: str) -> dict[str, object]:
    """The words of the page; in English the faults have the sentences of the catalogue."""
    words: dict[str, object] = json.loads((FOLDER / "strings" / f"{language}.json").read_text(encoding="utf-8"))
    return words | {"fault": {code: entry.sentence for code, entry in ENTRIES.items()}} if language == "en" else words


def load(language: str) -> Assets:
    """The files, for a page that begins in this language."""
    contents = {
        path.name: path.read_bytes() for path in sorted(FOLDER.iterdir()) if path.suffix in TYPES and path.name != PAGE
    }
    contents |= {name: COMMENT.sub(b"", content) for name, content in contents.items() if name.endswith(".js")}
    for each in LANGUAGES:
        words = strings(each)
        if each == "en":
            words["fault"] = {}  # the events bring each fault's English sentence
        text = json.dumps(words, ensure_ascii=False, separators=(",", ":"))
        contents[f"strings/{each}.json"] = text.encode()
    markup = (FOLDER / PAGE).read_text(encoding="utf-8").replace("{{language}}", language)
    version = hashlib.sha256(b"\0".join([markup.encode(), *contents.values()])).hexdigest()[:12]
    page = Asset.of(PAGE, markup.replace("{{version}}", version).encode())
    return Assets(version, page, {name: Asset.of(name, content) for name, content in contents.items()})
