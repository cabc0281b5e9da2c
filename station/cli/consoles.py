"""How commands print: one colour a state, the same on every screen."""

from rich.console import Console

COLOURS = {
    "empty": "dim",
    "waiting": "white",
    "running": "cyan",
    "pass": "green",
    "fail": "red",
    "void": "yellow",
    "out of service": "magenta",
}

UNWATCHED_WIDTH = 140


def wide_console() -> Console:
    """Standard output; into a pipe or a file it is as wide as the tables need, whatever the terminal behind it."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=UNWATCHED_WIDTH)
