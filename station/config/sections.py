# SPDX-License-Identifier: Apache-2.0
"""The sections of the line's configuration: each setting with its unit, default and reason, and what makes one wrong by itself."""

import sys
from datetime import time
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from station.config import path_mistakes, pki_kinds
from station.config.file_path import FilePath
from station.config.pki_kinds import Command, ExecSection, Kind, OpenBaoSection
from station.config.sentences import MISSING, shown
from station.config.table import Table
from station.domain.disposition import QUARANTINE_AFTER
from station.domain.samples import Rules
from station.domain.usb_port import mistake_in, one_spelling

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]

_MEDIA_TYPE = r"^[A-Za-z0-9.+*/;= -]+$"
# A token of RFC 9110; the excluded names belong to the connection and to the request's body.
_HEADER = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"
_OWN_HEADERS = ("host", "connection", "content-", "transfer-encoding", "expect", "accept-encoding", "cookie")


def _one_port(path: str) -> str:
    if mistake := mistake_in(path):
        raise ValueError(mistake)
    return one_spelling(path)


class StationSection(Table):
    """The station's name, and the folders for its lasting data."""

    name: str = Field(min_length=1, max_length=64, pattern=r"\S")
    """In the ledger and in the log; two stations need two names."""
    state: FilePath
    """Folder of the ledger, the control socket and the attempts' transcripts."""
    witness: FilePath | None = None
    """Folder of this machine's records of its ledgers, outside the state folder.

    By default the machine's, or the user's.
    """
    locks: FilePath | None = None
    """Folder of the locks on slots and probes, one for all stations at the same hub; by default the machine's."""


class ProgrammerSection(Table):
    """The programmer, and how long it may take."""

    cli: FilePath
    """STM32_Programmer_CLI, which is asked for its version before the line opens."""
    external_loader: FilePath
    """The loader of the QSPI flash; without it the tool may silently write nothing."""
    connect_within: Seconds = 15
    """How long a connection to a target may take, before it counts as none."""
    idle_within: Seconds = 90
    """Seconds without a line of output after which the programmer counts as stuck."""
    upgrade_within: Seconds = 180
    """Seconds that the upgrade of a wireless stack may take."""
    stop_within: Seconds = 10
    """Seconds that the programmer may take to end, after SIGINT and again after SIGTERM."""


class HotplugSection(Table):
    """The source that detects boards."""

    source: Literal["udev", "links", "poll"] = "udev" if sys.platform == "linux" else "poll"
    """`udev` on Linux; `links` in containers and on a virtual bench; `poll` on other systems."""
    directory: FilePath | None = None
    """Of `links`: the folder with by-path and by-id; /dev/serial by default."""
    udev: FilePath = Path("/run/udev")
    """Of `udev`: its own folder, where `control` shows that it runs."""

    @model_validator(mode="after")
    def _directory_is_of_links(self) -> "HotplugSection":
        if self.directory is not None and self.source != "links":
            raise ValueError(f'directory is a setting of source = "links", and the source is "{self.source}"')
        return self

    @property
    def links(self) -> Path:
        return self.directory or Path("/dev/serial")

    @property
    def is_of_this_machine(self) -> bool:
        """A virtual bench's folder of links is a machine of its own."""
        return self.links.is_relative_to("/dev")


class BoardSection(Table):
    """Deadlines of the conversation on the serial port."""

    baudrate: int = Field(default=115200, ge=9600, le=3_000_000)
    """Baud, as the firmware has it."""
    port_free_within: Seconds = 25
    """Seconds that another program may hold the serial port at first: ModemManager holds a new one for up to 20 s."""
    boot_within: Seconds = 15
    """Seconds from the reset until the provisioning firmware answers."""
    reply_within: Seconds = 10
    """Seconds until a question to the board counts as unanswered."""
    repeat_every: Seconds = 3
    """Seconds after which a question that may be repeated is asked again."""


class PKISection(Table):
    kind: Kind = "est"
    """How the PKI is asked: `est` by RFC 7030, `openbao` as OpenBao or Vault, `exec` through a program; docs/pki.md tells of each."""
    url: str | None = Field(default=None, pattern=r"^https://", validate_default=True)
    """The PKI's server, of `est` and `openbao`; without TLS nobody would know who answers."""
    ca: FilePath | None = Field(default=None, validate_default=True)
    """Who may be the PKI's server, of `est` and `openbao`: this authority, and no other."""
    certificate: FilePath | None = Field(default=None, validate_default=True)
    """This station's certificate in PEM, by which the PKI knows it: of `est`, and of `openbao` unless a token is enough."""
    key: FilePath | None = Field(default=None, validate_default=True)
    """The key of that certificate; only the station's account may read it."""
    pai: FilePath
    """The intermediate under which the PKI issues: pinned, never taken from an answer."""
    paa: FilePath
    """The root above the PAI."""
    connect_within: Seconds = 5
    """Seconds until the PKI counts as unreachable."""
    reply_within: Seconds = 10
    """Seconds for one answer; a lost one may cost a second certificate."""
    answer_within: Seconds = 30
    """Seconds for one board, over all tries."""
    check_every: Seconds = 5
    """Seconds between two checks of a paused line whether the PKI answers again."""
    outage: Literal["hold", "park", "stop"] = "hold"
    """While the PKI cannot be reached: `hold` pauses the line, which resumes by itself; `park` sets each board aside and goes on; `stop` pauses the line until a person releases it."""
    at_once: int = Field(default=8, ge=1, le=64)
    """Requests at the PKI at the same time; 1 for a server that serves one connection after the other."""
    keep_alive: float = Field(default=4, ge=0, le=600)
    """Seconds that an idle connection is kept, fewer than the PKI keeps it; 0 closes it after each request."""
    tls_floor: Literal["1.2", "1.3"] = "1.2"
    """The lowest version of TLS that the station speaks."""
    request: Literal["base64", "single-line", "pem", "der"] = "base64"
    """Form of a request to an EST server; `base64` is in lines, as RFC 7030 has it, and suits nearly all."""
    content_type: str = Field(default="application/pkcs10", min_length=3, max_length=100, pattern=_MEDIA_TYPE)
    """What a request calls its form; some providers want text/plain."""
    authorities: Literal["cacerts", "pinned"] = "cacerts"
    """Whether the PKI's own list of authorities must have the PAI; `pinned` for servers whose list lacks it."""
    basic_file: FilePath | None = None
    """File with the one line that HTTP's Basic authentication sends: user:password, or a provider's code."""
    header: str | None = Field(default=None, max_length=64, pattern=_HEADER)
    """Name of a header in which the PKI wants a secret, such as X-API-Key."""
    header_file: FilePath | None = None
    """File with that header's value, one line; only the station's account may read it, as with every secret."""
    openbao: OpenBaoSection | None = None
    exec: ExecSection | None = Field(default=None, validate_default=True)

    @property
    def place(self) -> str:
        """The name of the PKI in the ledger, the log and on the screen: its URL, or the program that asks it."""
        if self.url is not None:
            return self.url
        return f"exec:{self.exec.command[0]}" if self.exec is not None else self.kind

    @field_validator(*pki_kinds.OF_SOME_KINDS)
    @classmethod
    def _is_of_the_kind(cls, value: object, info: ValidationInfo[object]) -> object:
        name, kind = info.field_name or "", info.data.get("kind")
        if kind is None:  # which is a mistake of its own
            return value
        if value is None and name in pki_kinds.NEEDS[kind].required:
            raise ValueError(MISSING)
        if value is not None and (mistake := pki_kinds.mistake_of_kind(name, kind)):
            raise ValueError(mistake)
        return value

    @model_validator(mode="after")
    def _one_secret(self) -> "PKISection":
        if (self.header is None) != (self.header_file is None):
            raise ValueError("header and header_file belong together: one names the header, the other has its value")
        if (self.header or "").lower().startswith(_OWN_HEADERS):
            raise ValueError(f"header is {self.header}, which the station fills itself")
        if self.basic_file is not None and (self.header or "").lower() == "authorization":
            raise ValueError("basic_file already fills the header Authorization")
        return self

    @model_validator(mode="after")
    def _has_an_identity(self) -> "PKISection":
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together, and one of them is missing")
        token = self.openbao is not None and self.openbao.token_file is not None
        if self.kind == "openbao" and self.certificate is None and not token:
            raise ValueError(
                "OpenBao is logged in to by certificate and key, or by [pki.openbao] token_file: set either"
            )
        if self.kind == "openbao" and (self.header or "").lower().startswith("x-vault-"):
            raise ValueError(f"header is {self.header}, which [pki.openbao] token_file and namespace fill")
        return self

    @field_validator("url")
    @classmethod
    def _names_a_server(cls, url: str | None, info: ValidationInfo[object]) -> str | None:
        if url is not None and (mistake := path_mistakes.mistake_in_address(url)):
            raise ValueError(mistake)
        if url is not None and info.data.get("kind") == "openbao" and urlsplit(url).path.strip("/"):
            raise ValueError(
                f"found {shown(url)}, expected no path after the server: the station adds /v1 and the mount"
            )
        return url


class PolicySection(Table):
    """How many equal faults make the station suspect slot or line instead of the boards; 0 means never."""

    boards_in_a_slot: int = Field(default=2, ge=0)
    """So many boards in a row with one fault in one slot: the slot is suspected."""
    slots: int = Field(default=3, ge=0)
    """So many slots with one fault: the line is suspected."""
    within_boards: int = Field(default=10, ge=1)
    """Among so many boards of the line."""
    quarantine_after: int = Field(default=QUARANTINE_AFTER, ge=0)
    """So many fails of one unit, since its last pass or release: it goes into quarantine. 0 counts none."""

    @model_validator(mode="after")
    def _can_suspect_the_line(self) -> "PolicySection":
        if self.slots > self.within_boards:
            raise ValueError(
                f"slots is {self.slots} and within_boards {self.within_boards}: among so few boards there are never so many slots"
            )
        return self


class SamplesSection(Table):
    """When golden and known-bad boards are due, besides a change of recipe, image, programmer or probe."""

    every: float = Field(default=0.0, ge=0)
    """Hours since they were met last; 0: the time does not count."""
    shifts: tuple[time, ...] = ()
    """When shifts begin, local time, such as 06:00:00: samples are due at each."""
    probes: bool = True
    """Whether another probe in a slot makes samples due; false where each board brings its own, as a development kit does."""

    @property
    def rules(self) -> Rules:
        return Rules(self.every * 3600, self.shifts, self.probes)


class LogSection(Table):
    """Where the log goes besides stdout."""

    file: FilePath | None = None
    """A file that gets the same lines as standard output."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least important lines that are written."""


class RetentionSection(Table):
    """How long the daemon keeps the attempts' transcripts, and how much of them; logrotate does the same for the log."""

    transcript_days: int = Field(default=90, ge=0)
    """Days after which a transcript is removed: by then a complaint about a unit has come; 0 means never."""
    transcripts_mib: int = Field(default=4096, ge=0)
    """MiB that all transcripts may take together, the oldest go first: a small disk keeps room for the ledger; 0 means no limit."""


class AndonSection(Table):
    """A program that shows the line's state on a lamp."""

    command: Command
    """The program and its arguments. It gets the states as lines of JSON on its standard input, and a beat each second without which the lamp must go dark."""


class SecretsSection(Table):
    """The station's key, without which nobody reads a passcode in the ledger."""

    key: FilePath | None = None
    """File of this station's key alone, of mode 0600; by default beside this machine's records of its ledgers, or systemd's credential `station-key`."""


class LabelSection(Table):
    """How long the station can still make a unit's label."""

    forget: Literal["never", "after-days", "after-bound"] = "never"
    """`after-days` shreds a unit's passcode so many days after its last pass, `after-bound` soon after its label was bound by a scan:
    no key brings it back, and no label can be made."""
    days: int = Field(default=90, ge=1, le=3650)
    """Of `after-days`."""


class SlotSection(Table):
    """One place for a board."""

    name: str = Field(min_length=1, max_length=32, pattern=r"\S")
    """What operators call the place; it stands on the screen."""
    path: Annotated[str, AfterValidator(_one_port)] = Field(min_length=1)
    """The USB port as /dev/serial/by-path names it, in either spelling, without the interface at its end."""
    place: tuple[Annotated[int, Field(ge=1, le=64)], Annotated[int, Field(ge=1, le=64)]] | None = None
    """Row and column on the operator's page, so that it mirrors the fixture; by default slots follow one another."""
