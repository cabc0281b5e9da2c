# SPDX-License-Identifier: Apache-2.0
"""The switches that make the authority behave as real ones have been seen to, or worse. Pure."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

FOR_EVER = -1

# By name: a tuple lists the words that are allowed, the default first; a number is the default; None has one elsewhere.
Parameters = Mapping[str, float | tuple[str, ...] | None]
Value = float | str | None

RETRY_AFTER: Parameters = {
    "seconds": None,
    "form": (
        "seconds",
        "date",
        "date_past",
        "date_without_zone",
        "date_absurd_zone",
        "garbage",
        "superscript",
        "digits",
        "none",
    ),
}
REACH: Parameters = {"at": ("simpleenroll", "everywhere")}
LOCATION: Parameters = {"to": ("same_origin", "other_origin", "plain_http", "itself", "none")}


class Place(Enum):
    """Where a switch strikes; in this order a request meets them."""

    CONNECTION = "Of every connection, when it is accepted; the first that is set strikes"
    EST = "Of every EST request"
    AUTHORITIES = "Of cacerts; the first that is set strikes"
    REQUEST = "Of the request of an enrolment, when it is read"
    REFUSAL = "Of an enrolment, before anything is issued; the first that is set strikes"
    SUBJECT = "Of the request's subject, before the certificate is issued"
    CERTIFICATE = "Of the certificate; all that are set strike"
    FORM = "Of the form of the answer; the first that is set strikes"
    HEAD = "Of the head of the answer; all that are set strike"
    DELIVERY = "Of the way of the answer, after a certificate was issued; the first that is set strikes"


class Fault(Enum):
    """The switches; options and JSON use the names in lower case."""

    HALF_OPEN = Place.CONNECTION, "the server accepts the connection and says nothing"
    RESET_CONNECTION = Place.CONNECTION, "the server answers the client's hello with a reset"
    PLAIN_HTTP = Place.CONNECTION, "the server speaks HTTP without TLS"
    TLS_ALERT = Place.CONNECTION, "the server answers the client's hello with this alert", {"alert": 40}
    TLS_1_1 = (
        Place.CONNECTION,
        "the server speaks TLS 1.1 only; whoever speaks it, too, is sent away after the handshake",
    )
    TLS_1_2 = Place.CONNECTION, "the server speaks TLS 1.2 only"
    SERVER_EXPIRED = Place.CONNECTION, "the server's own certificate has expired"
    SERVER_MISNAMED = Place.CONNECTION, "the server's own certificate names another host"
    CLIENT_UNKNOWN = Place.CONNECTION, "the server trusts the authority of no client's certificate"
    ONE_AT_A_TIME = Place.CONNECTION, "the server accepts no other connection before this one has ended"

    DOWN = Place.EST, "the server cuts the connection at any EST request, before it does anything"

    CACERTS_OTHER_PAI = Place.AUTHORITIES, "cacerts has another PAI of the same PAA"
    CACERTS_WITHOUT_PAI = Place.AUTHORITIES, "cacerts has only the PAA"
    CACERTS_EMPTY = Place.AUTHORITIES, "cacerts has no certificate"

    LENIENT = Place.REQUEST, "an enrolment may have any content type, and its body may be PEM or DER"

    PENDING = Place.REFUSAL, "the server answers an enrolment with 202 and Retry-After", RETRY_AFTER
    BUSY = Place.REFUSAL, "the server answers an enrolment with 503 and Retry-After", RETRY_AFTER
    TOO_MANY = Place.REFUSAL, "the server answers an enrolment with 429 and Retry-After", RETRY_AFTER
    STATUS_204 = Place.REFUSAL, "the server answers with 204 No Content"
    STATUS_301 = Place.REFUSAL, "the server answers with 301 Moved Permanently", LOCATION
    STATUS_307 = Place.REFUSAL, "the server answers with 307 Temporary Redirect", LOCATION
    STATUS_401 = Place.REFUSAL, "the server answers with 401 Unauthorized", REACH
    STATUS_403 = Place.REFUSAL, "the server answers with 403 Forbidden", REACH
    STATUS_404 = Place.REFUSAL, "the server answers with 404 Not Found", REACH
    STATUS_500 = Place.REFUSAL, "the server answers with 500 and issues nothing", REACH
    STATUS_502 = Place.REFUSAL, "a proxy answers with 502, since it does not reach the server", REACH
    HANG = Place.REFUSAL, "the server reads the request, and neither issues nor answers"
    RESET = Place.REFUSAL, "the server reads the request, issues nothing, and resets the connection"

    UNIQUE_SUBJECT = (
        Place.SUBJECT,
        "an enrolment is refused with this status if its subject has a certificate, as OpenSSL's `unique_subject = yes` does",
        {"status": 400},
    )

    WRONG_KEY = Place.CERTIFICATE, "the certificate carries another key than the request"
    WRONG_PRODUCT = Place.CERTIFICATE, "the certificate carries another product id"
    WRONG_VENDOR = Place.CERTIFICATE, "the certificate carries another vendor id"
    WRONG_PAI = Place.CERTIFICATE, "another PAI of the same PAA signs the certificate"
    EXPIRED = Place.CERTIFICATE, "the certificate has expired"
    BEGINS_TOMORROW = Place.CERTIFICATE, "the certificate's validity begins in 24 hours"
    BEGINS_SOON = Place.CERTIFICATE, "the certificate's validity begins in so many seconds", {"seconds": 300}
    SHORT_LIVED = Place.CERTIFICATE, "the certificate expires after so many days", {"days": 90}
    LARGE = Place.CERTIFICATE, "the certificate has exactly so many bytes", {"bytes": 768}
    REPEATED_SERIAL = Place.CERTIFICATE, "the certificate has the serial number of the one issued before"

    GARBAGE = Place.FORM, "the server issues a certificate, but its answer holds none"
    EMPTY = Place.FORM, "the server issues a certificate, but its answer has no body"
    DER = Place.FORM, "PKCS#7 in DER, without base64"
    PEM = Place.FORM, "PKCS#7 in PEM"
    SINGLE = Place.FORM, "the bare certificate in base64"
    SINGLE_DER = Place.FORM, "the bare certificate in DER"
    SINGLE_PEM = Place.FORM, "the bare certificate in PEM"
    WRAPPED = Place.FORM, "base64 in lines of so many characters, which end with LF", {"columns": 64}
    CR_LF = Place.FORM, "base64 in lines of so many characters, which end with CR LF", {"columns": 76}
    BOM = Place.FORM, "base64 behind a byte order mark"
    WITH_PAI = Place.FORM, "the PAI beside the certificate"
    WITH_PAA = Place.FORM, "PAI and PAA beside the certificate"
    UNSORTED = Place.FORM, "PAI and PAA beside the certificate, in an order that DER does not allow"
    TWO_CERTIFICATES = Place.FORM, "the server issues two certificates for the key, and the answer has both"

    STATUS_201 = Place.HEAD, "the status is 201 Created"
    CONTENT_TYPE_WRONG = Place.HEAD, "the content type is text/html"
    CONTENT_TYPE_MISSING = Place.HEAD, "there is no content type"

    DROP_AFTER_ISSUE = Place.DELIVERY, "the server issues a certificate, and cuts the connection before the answer"
    FIN_AFTER_ISSUE = Place.DELIVERY, "the server ends the connection in good order before the answer"
    TRUNCATED = Place.DELIVERY, "the connection ends after half of the answer's body"
    STATUS_500_AFTER_ISSUE = Place.DELIVERY, "the answer is 500, and holds no certificate"
    LATE = Place.DELIVERY, "the answer comes after so many seconds", {"seconds": 30}
    DRIP_HEADER = Place.DELIVERY, "the answer's head comes byte by byte, at so many seconds", {"seconds": 0.1}
    DRIP_BODY = Place.DELIVERY, "the answer's body comes byte by byte, at so many seconds", {"seconds": 0.1}
    HANG_AFTER_ISSUE = Place.DELIVERY, "the server issues a certificate and never answers"
    HEADER_2_MB = Place.DELIVERY, "a header of the answer has 2 MB"
    BODY_10_MB = Place.DELIVERY, "behind the certificate line ends follow, 10 MB of them"
    ENDLESS = Place.DELIVERY, "behind the certificate line ends follow without end"
    GZIP_BOMB = Place.DELIVERY, "behind the certificate 256 MB of line ends follow, in 256 KB of Content-Encoding: gzip"

    def __init__(self, place: Place, sentence: str, parameters: Parameters = MappingProxyType({})) -> None:
        self.place = place
        self.sentence = sentence
        self.parameters = parameters

    @property
    def label(self) -> str:
        """The name in options and JSON."""
        return self.name.lower()

    @property
    def help(self) -> str:
        """The sentence with the parameters and their defaults."""
        settings = [
            f"{name} = {' | '.join(value) if isinstance(value, tuple) else 'as --retry-after' if value is None else value}"
            for name, value in self.parameters.items()
        ]
        return f"{self.sentence} ({', '.join(settings)})" if settings else self.sentence

    @classmethod
    def at(cls, place: Place) -> "list[Fault]":
        """The switches of one place."""
        return [fault for fault in cls if fault.place is place]


@dataclass(slots=True)
class _State:
    left: int = 0
    fired: int = 0
    given: dict[str, Value] = field(default_factory=dict)


class Faults:
    """How often each switch will still strike (FOR_EVER: until it is set again), and how often it has."""

    def __init__(self) -> None:
        self._states = {fault: _State() for fault in Fault}
        self.watchers: list[Callable[[], None]] = []
        """Are called when a switch of connections was set, which takes effect on new ones only."""

    def __str__(self) -> str:
        return ", ".join(f"{name} {left}" for name, left in self.left.items() if left) or "none"

    @property
    def left(self) -> dict[str, int]:
        return {fault.label: state.left for fault, state in self._states.items()}

    @property
    def fired(self) -> dict[str, int]:
        return {fault.label: state.fired for fault, state in self._states.items()}

    @property
    def shown(self) -> dict[str, dict[str, Value]]:
        """All switches as JSON shows them."""
        return {
            fault.label: {"left": state.left, "fired": state.fired, **self._parameters(fault)}
            for fault, state in self._states.items()
        }

    def set(self, changes: object) -> None:
        """Sets the named switches, each by a number of times or a table with `times` and parameters; leaves the others.

        Raises ValueError or TypeError, and sets none, if any entry is wrong.
        """
        if not isinstance(changes, Mapping):
            raise TypeError("a table of faults and how many times each strikes is expected")
        accepted: dict[Fault, tuple[int, dict[str, Value]]] = {}
        for name, change in changes.items():
            if name not in self.left:
                raise ValueError(f"{name}: no such fault; there are {', '.join(self.left)}")
            fault, given = Fault[name.upper()], dict(change) if isinstance(change, Mapping) else {"times": change}
            times = given.pop("times", 1)
            if type(times) is not int or times < FOR_EVER:
                raise ValueError(f"{name}: how many times? 0 or more, or {FOR_EVER} for ever")
            accepted[fault] = times, {str(each): _checked(fault, str(each), value) for each, value in given.items()}
        for fault, (times, given) in accepted.items():
            self._states[fault].left, self._states[fault].given = times, given
        if any(fault.place is Place.CONNECTION for fault in accepted):
            for changed in self.watchers:
                changed()

    def strikes(self, fault: Fault) -> bool:
        """Returns whether the fault happens this time, and if so counts it."""
        state = self._states[fault]
        if state.left == 0:
            return False
        if state.left != FOR_EVER:
            state.left -= 1
        state.fired += 1
        return True

    def first(self, place: Place) -> Fault | None:
        """Returns the first fault of the place that happens this time, which alone is counted."""
        return next((fault for fault in Fault.at(place) if self.strikes(fault)), None)

    def number(self, fault: Fault, parameter: str, otherwise: float = 0) -> float:
        """Returns a parameter that is a number."""
        value = self._parameters(fault)[parameter]
        return value if isinstance(value, int | float) else otherwise

    def word(self, fault: Fault, parameter: str) -> str:
        """Returns a parameter that is a word."""
        return str(self._parameters(fault)[parameter])

    def _parameters(self, fault: Fault) -> dict[str, Value]:
        defaults = {
            name: allowed[0] if isinstance(allowed, tuple) else allowed for name, allowed in fault.parameters.items()
        }
        return defaults | self._states[fault].given


def change_from(text: str) -> tuple[str, dict[str, Value]]:
    """Reads NAME=TIMES,PARAMETER=VALUE,… from the command line; without a number the switch strikes once."""
    name, *parameters = text.split(",")
    name, _, times = name.partition("=")
    change: dict[str, Value] = {"times": int(times or "1")}
    for parameter, _, value in (each.partition("=") for each in parameters):
        try:
            change[parameter] = float(value)
        except ValueError:
            change[parameter] = value
    return name, change


def _checked(fault: Fault, name: str, value: object) -> Value:
    if name not in fault.parameters:
        raise ValueError(f"{fault.label}: no parameter {name}; there are {', '.join(fault.parameters) or 'none'}")
    allowed = fault.parameters[name]
    if isinstance(allowed, tuple):
        if isinstance(value, str) and value in allowed:
            return value
        raise ValueError(f"{fault.label}: {name} is one of {', '.join(allowed)}")
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 and math.isfinite(value):
        return value
    raise ValueError(f"{fault.label}: {name} is a number of 0 or more")
