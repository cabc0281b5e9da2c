# SPDX-License-Identifier: Apache-2.0
"""The log: structlog, one JSON object a line on stdout and in a file; a console form when stdout is a terminal.

Logs are for people and may be lost; the ledger is the truth. Secrets never enter: their types do not print.
"""

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NoReturn

import structlog
from structlog.typing import EventDict, WrappedLogger

from station.adapters.system import log_console
from station.adapters.system.log_sinks import Sink, SinkStatus, end
from station.adapters.system.shown import shown

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
WRITTEN_WITHIN = 2.0  # seconds at the end, for the lines that are still queued
LONGEST_VALUE = 2000  # characters of a text in a line
STDOUT = 1
LOG_SCHEMA = 1  # rises when an event or a key of `docs/log.md` changes its meaning or goes

Form = Callable[[EventDict], bytes]


@dataclass(frozen=True, slots=True)
class Log:
    """The log's destinations."""

    sinks: Sequence[Sink] = ()

    @property
    def status(self) -> list[SinkStatus]:
        return [sink.status for sink in self.sinks]

    def reopen(self) -> None:
        """From now on writes to the file that has the name now, as logrotate asks for."""
        for sink in self.sinks:
            sink.reopen()
        structlog.get_logger().info("log.reopened")

    def set_level(self, level: str) -> None:
        """From now on writes no line of less importance."""
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]))


@contextmanager
def configured(level: str, file: Path | None, *, aloud: bool = True) -> Iterator[Log]:
    """Logs for the block: to stdout, and appended to `file`. A failure of either neither ends nor delays the station.

    With `aloud` false it leaves stdout to a command that prints its own output.
    """
    forms: list[tuple[Sink, Form]] = []
    if aloud and sys.stdout is not None:  # without it, its number may be another file's
        form = _console if sys.stdout.isatty() else _json
        forms.append((_sink("stdout", partial(os.dup, STDOUT), form), form))
    if file is not None:
        forms.append((_sink(str(file), partial(_appending, file), _json), _json))
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, *_PREPARED, partial(_deliver, forms)],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.ReturnLoggerFactory(),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[_Bridge()], level=logging.WARNING, force=True)
    log = Log([sink for sink, _ in forms])
    try:
        yield log
    finally:
        structlog.reset_defaults()
        end(log.sinks, WRITTEN_WITHIN)


@contextmanager
def speaking() -> Iterator[Callable[[str], None]]:
    """Prints lines on stdout without waiting for their reader.

    Only the block's end waits, while stdout has a reader.
    """
    if sys.stdout is None:  # its number may be another file's
        yield lambda _: None
        return

    def loss(lines: int) -> bytes:
        return f"({lines} lines are lost here)\n".encode()

    sink = Sink("stdout", partial(os.dup, STDOUT), loss, complains=False)
    try:
        yield lambda line: sink.put(f"{shown(line)}\n".encode())
    finally:
        end([sink], None)


def _sink(name: str, open_: Callable[[], int], form: Form) -> Sink:
    def loss(lines: int) -> bytes:
        event: EventDict = {"event": "log.lost", "lines": lines, "sink": name}
        for processor in _PREPARED:
            event = processor(None, "warning", event)
        return form(event)

    return Sink(name, open_, loss)


def _appending(file: Path) -> int:
    file.parent.mkdir(parents=True, exist_ok=True)
    return os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)


_FIRST = ("time", "milliseconds", "level", "event", "slot", "attempt", "uid", "step")


def _in_order(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Puts the common keys first, in one order for all lines, and leaves out keys without a value."""
    keys = [*(key for key in _FIRST if key in event), *(key for key in event if key not in _FIRST)]
    return {key: event[key] for key in keys if event[key] is not None}


def _timed(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Adds `time` in whole seconds, which is the only form that jq's `fromdateiso8601` takes, and its `milliseconds`."""
    now = datetime.now(UTC)
    event["time"] = f"{now.replace(tzinfo=None).isoformat(timespec='seconds')}Z"
    event["milliseconds"] = now.microsecond // 1000
    return event


_PREPARED: tuple[Callable[[WrappedLogger, str, EventDict], EventDict], ...] = (
    structlog.processors.add_log_level,
    _timed,
    _in_order,
)


def _deliver(forms: Sequence[tuple[Sink, Form]], _logger: WrappedLogger, _name: str, event: EventDict) -> NoReturn:
    """The last processor: hands the line to each destination, in its form."""
    lines = {form: form(event) for form in {form for _, form in forms}}
    for sink, form in forms:
        sink.put(lines[form])
    raise structlog.DropEvent


# Tracebacks are shown without locals, which hold passcodes and keys.
_TRACEBACKS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=20)
)


def _json(event: EventDict) -> bytes:
    """One JSON object, in ASCII: characters that a terminal would obey are escaped."""
    told = _TRACEBACKS(None, "", dict(event)) if "exc_info" in event else event
    return _ENCODER.encode({key: _bounded(value) for key, value in told.items()}).encode() + b"\n"


def _bounded_words(value: object) -> object:
    return _bounded(repr(value))


_ENCODER = json.JSONEncoder(default=_bounded_words)


def _bounded(value: object) -> object:
    match value:
        case str():
            return value if len(value) <= LONGEST_VALUE else f"{value[: LONGEST_VALUE - 1]}…"
        case int() | float() | None:
            return value
        case Mapping():
            return {str(key): _bounded(each) for key, each in value.items()}
        case list() | tuple():
            return [_bounded(each) for each in value]
        case _:
            return value


def _console(event: EventDict) -> bytes:
    return log_console.told(event).encode()


class _Bridge(logging.Handler):
    """Passes what libraries log through the standard library into the same log."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger()
        log.log(
            record.levelno, "library.logged", library=record.name, text=record.getMessage(), exc_info=record.exc_info
        )
