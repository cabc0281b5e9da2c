# SPDX-License-Identifier: Apache-2.0
"""The page's words for the terminal, and each state's shape and colours."""

from collections.abc import Mapping
from dataclasses import dataclass

from station.web.assets import strings
from station.web.models import Stock


@dataclass(frozen=True, slots=True)
class Words:
    """The texts of one language, those of `assets/strings`; a word that a newer station sends stands for itself."""

    single: Mapping[str, str]
    tables: Mapping[str, Mapping[str, str]]

    @classmethod
    def of(cls, language: str) -> "Words":
        texts = strings(language)
        tables = {
            name: {str(key): str(text) for key, text in table.items()}
            for name, table in texts.items()
            if isinstance(table, Mapping)
        }
        return cls({name: text for name, text in texts.items() if isinstance(text, str)}, tables)

    def one(self, name: str) -> str:
        return self.single.get(name, name)

    def word(self, state: str) -> str:
        return self._in("word", state)

    def act(self, act: str | None) -> str:
        return self._in("act", act) if act else ""

    def call(self, act: str | None) -> str:
        """The act at a slot whose board has its own."""
        return self.tables["call"].get(act, self.act(act)) if act else ""

    def inside(self, verdict: str) -> str:
        return self._in("inside", verdict)

    def line(self, name: str) -> str:
        return self._in("line", name)

    def lot(self, name: str) -> str:
        return self._in("lot", name)

    def stock(self, stock: Stock) -> str:
        """How many units may begin without the centre; empty if nobody must know."""
        left = "" if stock.left is None else str(stock.left)
        return self._in("shared", "away" if stock.away else "low").replace("#", left) if left else ""

    def step(self, step: str | None) -> str:
        return self._in("step", step) if step else ""

    def fault(self, code: str | None, sentence: str | None = None) -> str:
        """The fault's sentence; a fault that these words do not know says it by itself."""
        return self.tables["fault"].get(code, sentence or code) if code else ""

    def _in(self, table: str, name: str) -> str:
        return self.tables[table].get(name, name)


SHAPES: Mapping[str, str] = {
    "empty": "□",
    "waiting": "‖",
    "pending": "…",
    "running": "○◔◑◕",  # a quarter more at a time
    "pass": "✓",
    "fail": "✗",
    "void": "↻",
    "out": "⊘",
    "unknown": "?",
    "open": "▶",
    "paused": "‖",
    "draining": "■",
}
ASCII_SHAPES: Mapping[str, str] = {
    "empty": "_",
    "waiting": "=",
    "pending": "~",
    "running": "o",
    "pass": "+",
    "fail": "X",
    "void": "@",
    "out": "#",
    "unknown": "?",
    "open": ">",
    "paused": "=",
    "draining": "-",
}

# Filled where somebody's hands are wanted; else letters in the colour that the page's outline has. The colours are the
# page's, and green is pass and nothing else.
STYLES: Mapping[str, str] = {
    "empty": "#7b8794",
    "waiting": "bold",
    "pending": "bold",
    "running": "#4aa8ff",
    "pass": "bold #04140b on #27c780",
    "fail": "bold #ffffff on #d0203a",
    "void": "bold #1a1400 on #ffcc1a",
    "out": "bold #ffffff on #8a3fb0",
    "unknown": "dim",
}
# Of eight or sixteen colours the nearest to the page's green is cyan. The others have their nearest in their own hue.
FEW_COLOURS: Mapping[str, str] = {STYLES["pass"]: "bold black on green"}
