# SPDX-License-Identifier: Apache-2.0
"""The options of ST's `genFactoryData.py` in both published spellings, and a few of our own. Pure.

This module reads the options as typed; `plan.py` interprets them.
"""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import NoReturn

PROGRAM = "gen-factory-data"


class UsageInvalid(Exception):
    """The command line, or a file that it names, has mistakes, so no board is touched."""

    def __init__(self, mistakes: Iterable[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(self.mistakes))


class Spelling(StrEnum):
    """The two spellings in which ST has published the command."""

    OLDER = "older"
    NEWER = "newer"


class Typed(argparse.Namespace):
    """The options as typed.

    If both spellings have an option for one thing, `older_…` holds the older spelling's value.
    """

    provisioning: int
    json: Path | None
    binary: Path | None
    provisioning_script: Path | None
    coprocessor: Path | None
    provisioner: Path | None
    application: Path | None
    older_coprocessor: Path | None
    older_provisioner: Path | None
    older_application: Path | None
    mode: str | None
    data_address: int | None
    application_address: int | None
    coprocessor_address: int | None
    older_application_address: int | None
    older_coprocessor_address: int | None
    programmer_path: str | None
    external_loader: str | None
    keep: bool
    verbose: bool
    same_identity: bool
    verify: str
    dry_run: bool
    devices: Path
    state: Path | None
    trust: Path | None
    script_within: float
    clock_is_right: bool


def parse(arguments: Sequence[str]) -> Typed:
    """The options as typed; raises `UsageInvalid`, and `HelpAsked` for `--help`."""
    return _parser().parse_args(arguments, namespace=Typed())


def spelling(typed: Typed) -> Spelling:
    """The spelling of the command line; raises `UsageInvalid` if it mixes both.

    Options that both have follow the older one, which has defaults.
    """
    older, newer = list(_used(typed, "older_")), list(_used(typed, ""))
    if older and newer:
        raise UsageInvalid(
            [f"two spellings are mixed: {', '.join(older)} is of the older, {', '.join(newer)} of the newer; use one"]
        )
    return Spelling.NEWER if newer else Spelling.OLDER


def _used(typed: Typed, prefix: str) -> Iterator[str]:
    for name, (older, newer) in _NAMES.items():
        if getattr(typed, f"{prefix}{name}") is not None:
            yield older if prefix else newer
    if not prefix and typed.mode is not None:
        yield "--mode"


_NAMES = {
    "coprocessor": ("--m0", "--flashCoFW"),
    "provisioner": ("--m4_provisioning", "--flashProvisioningFW"),
    "application": ("--m4_matter", "--flashAppFW"),
    "coprocessor_address": ("-M0Addr", "--CoFwAddr"),
    "application_address": ("-M4Addr", "--AppFwAddr"),
}


class HelpAsked(Exception):
    """The command line asks for the help, whose text this is."""


class _Parser(argparse.ArgumentParser):
    def print_help(self, file: object = None) -> NoReturn:  # noqa: ARG002  argparse asks for the parameter
        raise HelpAsked(self.format_help())

    def error(self, message: str) -> NoReturn:
        raise UsageInvalid([message])


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog=PROGRAM,
        description="ST's genFactoryData.py, built from the station's parts. Works on all plugged-in boards at once; a board is good only if all is proven.",
        epilog="--version says which station this is. Exit status: 0 every board is good, 1 one is not, 2 wrong usage or input, 3 something is missing here.",
    )
    parser.add_argument(
        "--provisioning",
        type=int,
        choices=(0, 1),
        required=True,
        help="0: the input has certificates and keys. 1: the provisioning script gets them.",
    )
    _add_inputs(parser)
    _add_newer(parser.add_argument_group("firmware, newer spelling: addresses are required"))
    _add_older(parser.add_argument_group("firmware, older spelling: addresses have defaults with --provisioning 1"))
    _add_places(parser)
    _add_ours(parser.add_argument_group("not in ST's script"))
    return parser


def _add_inputs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", type=_file, metavar="FILE", help="Factory data as JSON.")
    parser.add_argument(
        "--binary",
        type=_file,
        metavar="FILE",
        help="Factory data as records, or a dump of the flash; in the older spelling --json may override records.",
    )
    parser.add_argument(
        "--provisioning_script", type=_file, metavar="FILE", help="Python file with Provisioning(mode, header, port)."
    )
    parser.add_argument(
        "--flashAddr",
        "-fa",
        "-flashAddr",
        dest="data_address",
        type=address,
        metavar="ADDRESS",
        help="Flash address of the factory data. Without it, --provisioning 0 writes a file beside the input.",
    )
    parser.add_argument("--keep", "-k", action="store_true", help="Keep the block beside the input. It holds secrets.")
    parser.add_argument("--verbose", "-v", action="store_true", help="List what was recognised in the input.")
    # These abbreviations of --verbose would be ambiguous beside --verify, which ST's script lacks.
    parser.add_argument("--v", "--ve", "--ver", dest="verbose", action="store_true", help=argparse.SUPPRESS)


def _add_newer(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--flashCoFW", dest="coprocessor", type=_file, metavar="FILE", help="Wireless stack.")
    group.add_argument("--flashProvisioningFW", dest="provisioner", type=_file, metavar="FILE")
    group.add_argument("--flashAppFW", dest="application", type=_file, metavar="FILE")
    group.add_argument(
        "--mode",
        choices=("test", "production"),
        help="Place of the key. test: flash; production: the coprocessor's key storage (CKS).",
    )
    group.add_argument("--AppFwAddr", "-afwa", dest="application_address", type=address, metavar="ADDRESS")
    group.add_argument("--CoFwAddr", "-cofwa", dest="coprocessor_address", type=address, metavar="ADDRESS")


def _add_older(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--m0", dest="older_coprocessor", type=_file, metavar="FILE", help="Wireless stack.")
    group.add_argument("--m4_provisioning", dest="older_provisioner", type=_file, metavar="FILE")
    group.add_argument("--m4_matter", dest="older_application", type=_file, metavar="FILE")
    group.add_argument("-0a", "-M0Addr", dest="older_coprocessor_address", type=address, metavar="ADDRESS")
    group.add_argument("-4a", "-M4Addr", dest="older_application_address", type=address, metavar="ADDRESS")


def _add_places(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--programmerPath",
        "-pp",
        "-programmerPath",
        dest="programmer_path",
        metavar="PATH",
        help="STM32CubeProgrammer's folder or executable (default: searched at the usual places).",
    )
    parser.add_argument(
        "--externalLoader",
        "-el",
        "-externalLoader",
        dest="external_loader",
        metavar="LOADER",
        help="External loader: a folder of loaders, a file, or a driver's name.",
    )


def _add_ours(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--same-identity",
        action="store_true",
        help="With --provisioning 1: all boards get the input's identity. Laboratory only.",
    )
    group.add_argument(
        "--verify",
        choices=("fast", "full"),
        default="fast",
        help="With --provisioning 1: how the programmer verifies an application above 64 KiB. fast: by sector; full: by "
        "byte, as in ST's script. Everything else is verified in full (default: %(default)s).",
    )
    group.add_argument("--dry-run", action="store_true", help="Check everything, print the plan, and stop.")
    group.add_argument(
        "--devices",
        type=Path,
        default=Path("/dev/serial"),
        metavar="FOLDER",
        help="Folder in which boards appear (default: %(default)s).",
    )
    group.add_argument(
        "--state",
        type=Path,
        metavar="FOLDER",
        help="Folder of ledger and transcripts (default: the user's state folder).",
    )
    group.add_argument("--trust", type=Path, metavar="FOLDER", help="Trust store: a folder with paa/ and cd-signers/.")
    group.add_argument(
        "--script-within",
        type=_seconds,
        default=120.0,
        metavar="SECONDS",
        help="Deadline of the script, for one board (default: %(default)s).",
    )
    group.add_argument(
        "--clock-is-right",
        action="store_true",
        help="Go on although the ledger was written over a day later than this computer's clock says.",
    )


def address(text: str) -> int:
    """An address as the programmer reads it: hexadecimal with 0x, else decimal."""
    try:
        value = int(text, 16) if text.lower().startswith("0x") else int(text, 10)
    except ValueError:
        value = -1
    if not 0 <= value <= 0xFFFFFFFF:
        raise argparse.ArgumentTypeError(f"{text} is not an address such as 0x901C0000")
    return value


def _file(text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"there is no file {text}")
    return path


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 86_400:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds")
    return seconds
