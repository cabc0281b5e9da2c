"""The log: structlog, one JSON object a line on stdout and in a file; a console form when stdout is a terminal.

Logs are for people and may be lost; the ledger is the truth. Secrets never enter: their types do not print.
"""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

# The locals of a traceback hold passcodes and keys.
_TRACEBACKS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=20)
)


@contextmanager
def configured(level: str, file: Path | None, *, aloud: bool = True) -> Iterator[None]:
    """Logs as configured for the block; the lines of stdout go to `file` too, appended. `OSError` where it cannot.

    Not `aloud` it leaves stdout to a command that speaks for itself.
    """
    with _appending(file) as copy:
        structlog.configure(
            processors=[
                structlog.contextvars.merge_contextvars,
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
                _in_order,
                *_rendering(copy),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
            logger_factory=structlog.PrintLoggerFactory(sys.stdout) if aloud else structlog.ReturnLoggerFactory(),
            cache_logger_on_first_use=False,
        )
        logging.basicConfig(handlers=[_Bridge()], level=logging.WARNING, force=True)
        try:
            yield
        finally:
            structlog.reset_defaults()


@contextmanager
def _appending(file: Path | None) -> Iterator[TextIO | None]:
    if file is None:
        yield None
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8", buffering=1) as copy:
        yield copy


def _rendering(copy: TextIO | None) -> list[Processor]:
    json = structlog.processors.JSONRenderer()

    def to_file(logger: WrappedLogger, name: str, event: EventDict) -> EventDict:
        if copy is not None:
            line = json(logger, name, _TRACEBACKS(logger, name, dict(event)))
            copy.write(f"{line if isinstance(line, str) else line.decode()}\n")
        return event

    if sys.stdout.isatty():
        return [to_file, structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    return [to_file, _TRACEBACKS, json]


_FIRST = ("time", "level", "event", "slot", "attempt", "step")


def _in_order(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """When, what and where stand in the same places of every line; a key without a value says nothing and is left out."""
    keys = [*(key for key in _FIRST if key in event), *(key for key in event if key not in _FIRST)]
    return {key: event[key] for key in keys if event[key] is not None}


class _Bridge(logging.Handler):
    """What libraries log through the standard library, in the same lines."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger()
        log.log(
            record.levelno, "library.logged", library=record.name, text=record.getMessage(), exc_info=record.exc_info
        )
