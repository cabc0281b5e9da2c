# SPDX-License-Identifier: Apache-2.0
"""The behaviours of a PKI that the table in docs/pki-behaviours.md covers, and what the line must do in each. Pure.

Each is tried with two boards, one after the other unless `together`, at a line that works before and afterwards.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

ALWAYS = -1
MINIMUM_DAYS = 60  # of the recipe
Setting = int | Mapping[str, int | float | str]


@dataclass(frozen=True, slots=True)
class Slot:
    """What the operator sees of one slot: its state, the verdict of its last attempt, and the code of its fault."""

    state: str
    verdict: str | None = None
    fault: str | None = None


PASSES = Slot("pass", "pass")
LOST = Slot("void", "void", "pki.answer_lost")
PENDING = Slot("pending", "void", "pki.pending")
BEHIND = Slot("waiting")  # no attempt began
UNTOUCHED = Slot("the station does not start")


def stopped(fault: str) -> Slot:
    """The board whose attempt has paused the line."""
    return Slot("waiting", "void", fault)


class Trial(Enum):
    """What is done besides plugging two boards in; EXPIRED and EXPIRES are about the station's certificate."""

    PLUG = "two boards are plugged in"
    RESTART = "the station is restarted before"
    EXPIRED = "the station is started with an expired certificate"
    EXPIRES = "the station's certificate is replaced by one that expires while the station runs"
    PULL = "the first board is pulled while its answer is awaited, and comes back"


class Repair(Enum):
    """What makes the line work again, once the PKI does."""

    NOTHING = "nothing"
    ITSELF = "the line resumes by itself"
    RELEASE = "`station slots release --all`"
    AGAIN = "`station pki again UID`"
    REPLUG = "the board is plugged in again"
    START = "a good certificate, and `station run`"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One row."""

    name: str
    switches: Mapping[str, Setting] = field(default_factory=dict)
    boards: tuple[Slot, Slot] = (PASSES, PASSES)
    line: str | None = None
    """The code of the fault by which the line is paused; None if it stays open."""
    bought: tuple[int, int] = (1, 1)
    """Certificates for each board's request, until the PKI works again."""
    repair: Repair = Repair.NOTHING
    trial: Trial = Trial.PLUG
    together: bool = False
    slow: bool = False
    """Whether a deadline of the station has to pass, so that short ones are set."""
    flashed: tuple[int, int] = (1, 1)
    """How often each board got its factory data, until it passed."""
    says: str = ""
    """Words that the operator reads."""


def passes(name: str, bought: tuple[int, int] = (1, 1), **switches: Setting) -> Behaviour:
    """Both boards pass as if nothing had happened."""
    return Behaviour(name, switches, bought=bought)


def loses(name: str, *, bought: int, slow: bool = False, **switches: Setting) -> Behaviour:
    """Two requests a key, then the slot waits for a person; the line stays open."""
    return Behaviour(name, switches, (LOST, LOST), None, (bought, bought), Repair.AGAIN, together=slow, slow=slow)


def refused(name: str, fault: str, *, bought: int = 1, **switches: Setting) -> Behaviour:
    """The first certificate pauses the line until a person releases it."""
    return Behaviour(name, switches, (stopped(fault), BEHIND), fault, (bought, 0), Repair.RELEASE)


def pauses(name: str, fault: str, says: str = "", *, slow: bool = False, **switches: Setting) -> Behaviour:
    """The line pauses, nothing is bought, and the line resumes as soon as the PKI answers a board's request."""
    boards = (stopped(fault), BEHIND)
    return Behaviour(name, switches, boards, fault, (0, 0), Repair.ITSELF, slow=slow, says=says)


def waits(name: str, switch: str, form: str, **more: float) -> Behaviour:
    """The PKI asks for a longer pause than the station may wait: the line pauses, until the pause has passed or a person decides."""
    fault, says = "pki.unavailable", "asked not to be asked"
    set_: dict[str, Setting] = {switch: {"times": ALWAYS, "form": form, **more}}
    return Behaviour(name, set_, (stopped(fault), BEHIND), fault, (0, 0), Repair.RELEASE, says=says)


def pends(name: str, **setting: float | str) -> Behaviour:
    """The slots are pending, and the line stays open."""
    set_ = {"pending": {"times": ALWAYS, **setting}}
    return Behaviour(name, set_, (PENDING, PENDING), None, (0, 0), Repair.AGAIN)


def before(name: str, fault: str, trial: Trial, repair: Repair = Repair.ITSELF, **switches: Setting) -> Behaviour:
    """The line is paused when the boards come."""
    return Behaviour(name, switches, (BEHIND, BEHIND), fault, (0, 0), repair, trial)


INVALID, UNUSABLE = "pki.credentials_invalid", "pki.answer_invalid"

# One of each kind, for every run of the tests.
REPRESENTATIVE = (
    "202, Retry-After 1 s, then 200",
    "bare certificate in PEM",
    "DAC begins in 5 minutes",
    "307 within the server",
    "202, Retry-After 3600 s",
    "503, Retry-After 3600 s",
    "the first answer is dropped",
    "500 after the issue",
    "no answer, but issued",
    "endless body",
    "two certificates for the key",
    "DAC with another PID",
    "DAC of 90 days",
    "DAC of 30 days",
    "DAC with a serial number issued before",
    "404",
    "unique subjects, and the first answer is dropped",
    "TLS 1.1 only",
)

BEHAVIOURS: tuple[Behaviour, ...] = (
    # what an authority does every day
    passes("202, Retry-After 1 s, then 200", pending={"times": 1, "seconds": 1}),
    passes("429, Retry-After 1 s, then 200", too_many={"times": 1, "seconds": 1}),
    passes("503, Retry-After 1 s, then 200", busy={"times": 1, "seconds": 1}),
    passes("201", status_201=ALWAYS),
    passes("wrong content type", content_type_wrong=ALWAYS),
    passes("no content type", content_type_missing=ALWAYS),
    passes("PKCS#7 in DER", der=ALWAYS),
    passes("PKCS#7 in PEM", pem=ALWAYS),
    passes("bare certificate in base64", single=ALWAYS),
    passes("bare certificate in DER", single_der=ALWAYS),
    passes("bare certificate in PEM", single_pem=ALWAYS),
    passes("base64 in lines of 64", wrapped=ALWAYS),
    passes("base64 in lines that end with CR LF", cr_lf=ALWAYS),
    passes("base64 behind a byte order mark", bom=ALWAYS),
    passes("chain: with the PAI", with_pai=ALWAYS),
    passes("chain: with PAI and PAA", with_paa=ALWAYS),
    passes("chain: an unsorted set", unsorted=ALWAYS),
    passes("any content type, body in any form", lenient=ALWAYS),
    passes("TLS 1.2 only", tls_1_2=ALWAYS),
    passes("one connection after the other", one_at_a_time=ALWAYS),
    passes("DAC of 90 days", short_lived={"times": ALWAYS, "days": 90}),
    passes("DAC begins in 5 minutes", begins_soon={"times": ALWAYS, "seconds": 300}),
    passes("301 within the server", status_301={"times": 1, "to": "same_origin"}),
    passes("307 within the server", status_307={"times": 1, "to": "same_origin"}),
    # pauses that the authority asks for
    pends("202, Retry-After 3600 s", seconds=3600),
    pends("202, Retry-After of 400 digits", form="digits"),
    passes("202 without Retry-After, then 200", pending={"times": 1, "form": "none"}),
    passes("202, garbage as Retry-After, then 200", pending={"times": 1, "form": "garbage"}),
    waits("503, Retry-After 3600 s", "busy", "seconds", seconds=3600),
    waits("503, Retry-After of 400 digits", "busy", "digits"),
    passes("503 without Retry-After, then 200", busy={"times": 1, "form": "none"}),
    pauses("503 without Retry-After, always", "pki.unavailable", busy={"times": ALWAYS, "form": "none"}),
    passes("503, garbage as Retry-After, then 200", busy={"times": 1, "form": "garbage"}),
    pauses("503, garbage as Retry-After, always", "pki.unavailable", busy={"times": ALWAYS, "form": "garbage"}),
    # answers that get lost
    passes("the first answer is dropped", (2, 1), drop_after_issue=1),
    loses("every answer is dropped", bought=2, drop_after_issue=ALWAYS),
    passes("connection closed in order before the first answer", (2, 1), fin_after_issue=1),
    loses("connection closed in order before every answer", bought=2, fin_after_issue=ALWAYS),
    passes("the first answer is cut off", (2, 1), truncated=1),
    loses("every answer is cut off", bought=2, truncated=ALWAYS),
    passes("the first answer is 500 after the issue", (2, 1), status_500_after_issue=1),
    loses("500 after the issue", bought=2, status_500_after_issue=ALWAYS),
    loses("500, nothing issued", bought=0, status_500=ALWAYS),
    loses("502 of a proxy, nothing issued", bought=0, status_502=ALWAYS),
    loses("connection reset after the request", bought=0, reset=ALWAYS),
    loses("header of 2 MB", bought=2, header_2_mb=ALWAYS),
    loses("answer comes too late", bought=2, slow=True, late={"times": ALWAYS, "seconds": 600}),
    loses("head of the answer drips", bought=2, slow=True, drip_header={"times": ALWAYS, "seconds": 1}),
    loses("body of the answer drips", bought=2, slow=True, drip_body={"times": ALWAYS, "seconds": 1}),
    loses("no answer, nothing issued", bought=0, slow=True, hang=ALWAYS),
    loses("no answer, but issued", bought=2, slow=True, hang_after_issue=ALWAYS),
    Behaviour(
        "board pulled while its answer is awaited",
        {"late": {"times": 1, "seconds": 8}},
        trial=Trial.PULL,
        flashed=(2, 1),
    ),
    # answers and certificates that are of no use
    refused("garbage in place of a certificate", UNUSABLE, garbage=ALWAYS),
    refused("empty body", UNUSABLE, empty=ALWAYS),
    refused("10 MB", UNUSABLE, body_10_mb=ALWAYS),
    refused("endless body", UNUSABLE, endless=ALWAYS),
    refused("gzip bomb", UNUSABLE, gzip_bomb=ALWAYS),
    refused("certificate for another key", UNUSABLE, wrong_key=ALWAYS),
    refused("two certificates for the key", UNUSABLE, bought=2, two_certificates=ALWAYS),
    refused("DAC with another VID", INVALID, wrong_vendor=ALWAYS),
    refused("DAC with another PID", INVALID, wrong_product=ALWAYS),
    refused("DAC of another PAI", INVALID, wrong_pai=ALWAYS),
    refused("DAC has expired", INVALID, expired=ALWAYS),
    refused("DAC begins tomorrow", INVALID, begins_tomorrow=ALWAYS),
    refused("DAC of 30 days", INVALID, short_lived={"times": ALWAYS, "days": 30}),
    refused("DAC of 768 bytes", INVALID, large={"times": ALWAYS, "bytes": 768}),
    refused("DAC with a serial number issued before", INVALID, repeated_serial=ALWAYS),
    # refusals
    Behaviour(
        "unique subjects, and the first answer is dropped",
        {"unique_subject": ALWAYS, "drop_after_issue": 1},
        boards=(Slot("fail", "fail", "pki.csr_rejected"), PASSES),
        repair=Repair.REPLUG,
        flashed=(2, 1),
        says="There is already a certificate for",
    ),
    pauses("401", "pki.refused_station", status_401=ALWAYS),
    pauses("401, at cacerts too", "pki.refused_station", status_401={"times": ALWAYS, "at": "everywhere"}),
    pauses("403", "pki.forbidden", status_403=ALWAYS),
    pauses("404", "pki.address_wrong", "check the URL", status_404=ALWAYS),
    pauses("204", "pki.unavailable", status_204=ALWAYS),
    pauses("301 to another server", "pki.address_wrong", status_301={"times": ALWAYS, "to": "other_origin"}),
    pauses("307 to plain HTTP", "pki.address_wrong", status_307={"times": ALWAYS, "to": "plain_http"}),
    pauses("307 to itself", "pki.address_wrong", status_307={"times": ALWAYS, "to": "itself"}),
    # connections
    loses("connections are cut after the request", bought=0, down=ALWAYS),
    pauses("plain HTTP", "pki.protocol_wrong", "it answers plain HTTP", plain_http=ALWAYS),
    pauses("half-open: accepts, and says nothing", "pki.unavailable", slow=True, half_open=ALWAYS),
    pauses("connections are reset", "pki.unavailable", reset_connection=ALWAYS),
    pauses("TLS 1.1 only", "pki.protocol_wrong", "it speaks TLS 1.1 only", tls_1_1=ALWAYS),
    pauses("server's certificate has expired", "pki.untrusted", "its certificate has expired", server_expired=ALWAYS),
    pauses("server's certificate names another host", "pki.untrusted", "is for another", server_misnamed=ALWAYS),
    pauses("TLS alert 40, handshake failure", "pki.refused_station", tls_alert={"times": ALWAYS, "alert": 40}),
    pauses(
        "station's authority unknown to the server",
        "pki.refused_station",
        "does not know the authority",
        client_unknown=ALWAYS,
    ),
    Behaviour(
        "station started with an expired certificate",
        boards=(UNTOUCHED, UNTOUCHED),
        bought=(0, 0),
        repair=Repair.START,
        trial=Trial.EXPIRED,
        says="expired at",
    ),
    Behaviour(
        "station's certificate expires while it runs",
        boards=(stopped("pki.file_unusable"), BEHIND),
        line="pki.file_unusable",
        bought=(0, 0),
        repair=Repair.ITSELF,
        trial=Trial.EXPIRES,
        slow=True,
        says="expired at",
    ),
    before("cacerts has another PAI", "pki.authority_wrong", Trial.RESTART, cacerts_other_pai=ALWAYS),
    before("cacerts lacks the PAI", "pki.authority_wrong", Trial.RESTART, cacerts_without_pai=ALWAYS),
    before("cacerts is empty", "pki.authorities_invalid", Trial.RESTART, cacerts_empty=ALWAYS),
)
