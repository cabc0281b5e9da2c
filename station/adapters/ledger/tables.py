# SPDX-License-Identifier: Apache-2.0
"""The ledger's tables.

`event` is the journal and the truth; summary columns are written in the same transaction and can be rebuilt. Times are
UTC, ISO 8601 with milliseconds, as text; a UID is 24 hexadecimal digits in memory order. One SQL for all dialects; only the
conditions of indexes are SQLite's, since naming PostgreSQL's here would load its dialect, 2 MB of the daemon's memory.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ColumnElement,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    literal_column,
    text,
    true,
)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_Account = String(100)  # domain.intervention.LONGEST_ACCOUNT
_Number = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up INTEGER primary keys only


class Instant(TypeDecorator[datetime]):
    """A moment, as text that sorts by time and reads the same in every tool."""

    impl = String(24)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:  # noqa: ARG002  SQLAlchemy's signature
        return None if value is None else iso(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  the same
        return None if value is None else datetime.fromisoformat(value)


def _few(name: str, *columns: str, where: str) -> Index:
    """An index of the rows that fulfil the condition; a query must repeat the condition word for word to use it."""
    return Index(name, *columns, sqlite_where=text(where))


def among(column: ColumnElement[str], words: Iterable[str]) -> ColumnElement[bool]:
    """Whether the column has one of these words. In the statement's text, unlike a list of values, they let it be compiled once."""
    return column.in_([word(each) for each in words])


def word(text: str) -> ColumnElement[str]:
    """A name of the station's own as part of the statement's text."""
    assert text.isidentifier(), text
    return literal_column(f"'{text}'", String)


def milliseconds(moment: datetime) -> int:
    """The moment as the ledger has it, since 1970."""
    return (moment - _BEGINNING) // timedelta(milliseconds=1)


def iso(moment: datetime) -> str:
    """The ledger's one notation of time: `2026-11-23T08:15:30.250Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


attempt = Table(
    "attempt",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("station", String(64), nullable=False),
    Column("slot", String(32), nullable=False),
    Column("probe", String(126), nullable=False),  # as long as a USB string
    Column("tty", Text, nullable=False),
    Column("recipe", String(64), nullable=False),
    Column("recipe_sha256", String(64), nullable=False),
    Column("images", JSON, nullable=False),  # name to SHA-256
    Column("lot", String(32), nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("station_version", String(32)),  # none in the attempts of a station before this column
    Column("station_commit", String(48)),  # none where the station did not know it
    # From here on, columns that sum up the events.
    Column("uid", String(24)),
    Column("dac_serial_number", String(40)),
    Column("verdict", String(4)),
    Column("fault", String(64)),
    Column("ended_at", Instant),
    Column("seconds", Float, nullable=False),  # to the last event
    Column("steps", JSON, nullable=False),  # name to seconds
    Column("laboratory", Boolean, nullable=False, server_default=false()),  # true: not counted as production
    CheckConstraint("verdict IN ('pass', 'fail', 'void')", name="verdict"),
    CheckConstraint("(verdict IS NULL) = (ended_at IS NULL)", name="ended"),
    Index(None, "uid"),
    Index(None, "started_at"),
    _few("ix_attempt_open", "id", where="verdict IS NULL"),
    sqlite_autoincrement=True,  # a number is never given twice
)

event = Table(
    "event",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("attempt_id", ForeignKey("attempt.id"), nullable=False, index=True),
    Column("at", Instant, nullable=False),
    Column("type", String(32), nullable=False),
    Column("body", JSON, nullable=False),
    # Not by type first: SQLite would then search the events of all boards, not those of one.
    _few("ix_event_of_unit", "attempt_id", "type", where="type = 'Confirmed' OR type = 'CoprocessorReady'"),
    sqlite_autoincrement=True,
)

identity = Table(
    "identity",
    metadata,
    Column("id", _Number, primary_key=True),  # the ordinal: counts the identities of this ledger from 1
    Column("uid", String(24), nullable=False, unique=True),
    Column("lot", String(32), nullable=False),
    Column("lot_index", Integer, nullable=False),
    Column("serial_number", String(32), nullable=False, unique=True),
    Column("discriminator", Integer, nullable=False),
    Column("pairing_hash", LargeBinary(32), nullable=False, unique=True),  # a mark of `pairing`
    Column("manufacturing_date", String(8), nullable=False),
    Column("reserved_at", Instant, nullable=False),
    Column("state", String(16), nullable=False),  # sums up the events of all its attempts
    # false where this copy's knowledge may be old: after a shared ledger began a new incarnation
    Column("owned", Boolean, nullable=False, server_default=true()),
    CheckConstraint(
        "state IN ('reserved', 'on_board', 'certified', 'confirmed', 'passed', 'burned', 'released')", name="state"
    ),
    UniqueConstraint("lot", "lot_index"),
    sqlite_autoincrement=True,
)

# Sealed by `sealing`. Rows are never deleted and never change their size (`vault`).
sealed_secret = Table(
    "sealed_secret",
    metadata,
    Column("identity_id", ForeignKey("identity.id"), primary_key=True, autoincrement=False),
    Column(
        "key_id", String(16), nullable=False
    ),  # of the station's key that wraps the unit's; hyphens once it is forgotten
    Column("wrapped_key", LargeBinary(60), nullable=False),
    Column("content", LargeBinary, nullable=False),
)

secrets_state = Table(  # one row
    "secrets_state",
    metadata,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("key_id", String(16), nullable=False),  # the station's key that wraps what is sealed from now on
    Column("retiring_id", String(16)),  # of the key that a rotation replaces, until it has ended
    Column("pairing_id", String(16)),  # of the key of `pairing`; none until the key was found to fit
    Column("scrub", Boolean, nullable=False),  # whether the file may still hold secrets of an earlier version
    CheckConstraint("one = 1", name="one"),
)

# who saw label data, exported or forgot it, or changed the station's key; never edited
secrets_deed = Table(
    "secrets_deed",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("station", String(64), nullable=False),
    Column("who", _Account, nullable=False),
    Column("deed", String(16), nullable=False),  # domain.disclosure.SecretsDeed
    Column("uid", String(24), index=True),  # none: several units, or all
    Column("lot", String(32)),
    Column("units", Integer, nullable=False),
    Column("recipient", String(64)),  # the fingerprint of an export's recipient; or the id of the station's new key
    Column("reason", Text, nullable=False),  # empty if none was given
    CheckConstraint("deed IN ('show', 'export', 'forget', 'rotate')", name="deed"),
    sqlite_autoincrement=True,
)

# prints of units' labels, and the scans that bind them; never edited
label_event = Table(
    "label_event",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("station", String(64), nullable=False),
    Column("uid", String(24), nullable=False, index=True),
    Column("type", String(32), nullable=False),  # domain.labelling.LabelEvent
    Column("copy", Integer, nullable=False),
    Column("who", _Account, nullable=False),
    Column("reason", Text, nullable=False),
    Column("slot", String(32)),
    Column("other", String(32)),  # the serial number of the unit whose label was scanned instead
    Index(
        "ux_label_event_print",
        "uid",
        "copy",
        unique=True,
        sqlite_where=text("type = 'LabelPrintStarted'"),
    ),
    sqlite_autoincrement=True,
)

label_floor = Table(  # from which attempt on a recipe's units get labels by themselves
    "label_floor",
    metadata,
    Column("recipe", String(64), primary_key=True),
    Column("first_attempt", _Number, nullable=False),
)

label_required = Table(  # recipes whose units are done once their label is bound; a content never changes, so rows stay
    "label_required",
    metadata,
    Column("recipe_sha256", String(64), primary_key=True),
)

# One row for each request. One without an outcome and without `due_at` has no answer: it may have bought a DAC that no
# board has. `rejected` means that no live certificate came of it: `pki_answer` has the answer, if there was one.
pki_request = Table(
    "pki_request",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("key", String(64), nullable=False, index=True),  # domain.credentials.key_name
    Column("uid", String(24), nullable=False, index=True),
    Column("csr", LargeBinary, nullable=False),
    Column("submitted_at", Instant, nullable=False),
    Column("outcome", String(8)),
    Column("reason", Text),
    Column("answered_at", Instant),
    Column("due_at", Instant),  # the PKI has the request, decides later, and is not to be asked before
    Column("excused", Boolean, nullable=False, server_default=false()),  # a person allowed another request
    Column("closed", Boolean, nullable=False, server_default=false()),  # a person has dealt with the orphan
    _few("ix_pki_request_unanswered", "id", where="outcome IS NULL"),
    CheckConstraint("outcome IN ('issued', 'rejected')", name="outcome"),
    CheckConstraint("(outcome IS NULL) = (answered_at IS NULL)", name="answered"),
    sqlite_autoincrement=True,
)

certificate = Table(  # the one live certificate of each key
    "certificate",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("request_id", ForeignKey("pki_request.id"), nullable=False, unique=True),
    Column("dac_serial_number", String(40), nullable=False, unique=True),
    Column("dac", LargeBinary, nullable=False),
    Column("pai", LargeBinary, nullable=False),
    Column("issued_at", Instant, nullable=False),
)

pki_answer = Table(  # the content of an answer that brought no live certificate
    "pki_answer",
    metadata,
    Column("request_id", ForeignKey("pki_request.id"), primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("content", LargeBinary, nullable=False),  # as much of it as was read
)

spare_certificate = Table(  # certificates that the PKI has issued and no unit has, for revocation
    "spare_certificate",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("request_id", ForeignKey("pki_request.id")),  # none if it cannot be told which request bought it
    Column("key", String(64), nullable=False, index=True),
    Column("serial_number", Text, nullable=False),
    Column("kind", String(8), nullable=False),
    Column("found_at", Instant, nullable=False),
    Column("reason", Text, nullable=False),
    Column("content", LargeBinary),  # none if only the PKI's list has told of it
    Column("closed", Boolean, nullable=False, server_default=false()),  # a person has dealt with it
    CheckConstraint("kind IN ('refused', 'surplus')", name="kind"),
    sqlite_autoincrement=True,
)

pki_wait = Table(  # times before which an endpoint does not want to be asked
    "pki_wait",
    metadata,
    Column("endpoint", Text, primary_key=True),
    Column("until", Instant, nullable=False),
)

pki_decision = Table(  # what people have decided about requests and orphans: by which account, and why
    "pki_decision",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("account", _Account, nullable=False),
    Column("action", String(16), nullable=False),
    Column("subject", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    sqlite_autoincrement=True,
)

totals = Table(  # one row with counts of attempts and identities; written with them, and can be rebuilt
    "totals",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("attempts", BigInteger, nullable=False),
    Column("passed", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("void", BigInteger, nullable=False),
    Column("units", BigInteger, nullable=False),
    Column("judged", BigInteger, nullable=False),  # boards
    Column("passed_first", BigInteger, nullable=False),  # boards, by their first judged attempt
    Column("laboratory", BigInteger, nullable=False),  # attempts
    CheckConstraint("id = 1", name="one_row"),
)

figure = Table(  # what `numbers` reads of each ended attempt: few bytes, in the order of time; can be rebuilt
    "figure",
    metadata,
    Column("began", BigInteger, nullable=False),  # milliseconds since 1970
    Column("id", ForeignKey("attempt.id"), nullable=False),
    Column("slot", String(32), nullable=False),
    Column("probe", String(126), nullable=False),  # as long as a USB string
    Column("lot", String(32), nullable=False),
    Column("uid", String(24)),
    Column("verdict", String(4), nullable=False),
    Column("fault", String(64)),
    Column("step", String(32)),  # that began last
    Column("seconds", Float, nullable=False),
    Column("steps", LargeBinary, nullable=False),  # domain.step_seconds
    Column("laboratory", Boolean, nullable=False),
    Column("first", Boolean, nullable=False),  # whether it is the board's first judged attempt
    PrimaryKeyConstraint("began", "id"),
    sqlite_with_rowid=False,
)

# releases of boards with a key from elsewhere, to be provisioned as new ones: by which account, and why
unit_release = Table(
    "unit_release",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("uid", String(24), nullable=False, index=True),
    Column("at", Instant, nullable=False),
    Column("account", _Account, nullable=False),
    Column("reason", Text, nullable=False),
    Column("incarnation", Integer, nullable=False, server_default="1"),  # of the ledger: a restored one has a later
    sqlite_autoincrement=True,
)

# what people did to slots and line; never edited
intervention = Table(
    "intervention",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("station", String(64), nullable=False),
    Column("at", Instant, nullable=False, index=True),
    Column("who", _Account, nullable=False),  # the account of the person
    Column("deed", String(16), nullable=False),  # domain.intervention.Deed
    Column("slot", String(32)),  # none: the line
    Column("fault", String(64)),  # code of the fault that had stopped slot or line; none if nothing had
    Column("reason", Text, nullable=False),  # empty if none was given
    CheckConstraint("deed IN ('hold', 'release', 'drain')", name="deed"),
    sqlite_autoincrement=True,
)

ledger = Table(  # one row: the ledger's id, its progress, and its place
    "ledger",
    metadata,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("id", String(32), nullable=False),
    Column("incarnation", Integer, nullable=False),  # counts from 1; one more with every restoration
    Column("tick", _Number, nullable=False),  # counts all work that must not be repeated
    Column("in_order", Boolean, nullable=False),  # whether its last daemon closed it
    # how many serial numbers restorations have burned in each lot, in total
    Column("skipped", Integer, nullable=False),
    Column("place", JSON, nullable=False),
    CheckConstraint("one = 1", name="one"),
)

lot_floor = Table(  # after a restoration the lot goes on with this serial number
    "lot_floor",
    metadata,
    Column("lot", String(32), primary_key=True),
    Column("next_index", Integer, nullable=False),
)

lot = Table(  # the lots made for work orders; sums up `lot_event`
    "lot",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("work_order", String(64), nullable=False),
    Column("recipe", String(64), nullable=False),
    Column("recipe_sha256", String(64), nullable=False),
    Column("planned", Integer, nullable=False),
    Column("pattern", String(96), nullable=False),
    Column("first", Integer, nullable=False),
    Column("size", Integer, nullable=False),
    Column("state", String(8), nullable=False),  # domain.work_order.LotState
    # identities that are neither burned nor released; written with them, and can be rebuilt
    Column("live", Integer, nullable=False),
    CheckConstraint("state IN ('open', 'paused', 'closed')", name="state"),
    CheckConstraint("planned > 0 AND planned <= size", name="planned"),
    CheckConstraint("live >= 0 AND live <= planned", name="live"),
    Index(
        "ix_lot_open",
        "state",
        unique=True,
        sqlite_where=text("state = 'open'"),
    ),
)

unit_event = Table(  # domain.disposition.UnitEvent; never edited
    "unit_event",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("uid", String(24), nullable=False, index=True),
    Column("at", Instant, nullable=False),
    Column("account", _Account),  # none: the policy
    Column("reason", Text, nullable=False),
    Column("type", String(32), nullable=False),
    Column("body", JSON, nullable=False),
    sqlite_autoincrement=True,
)

sample_event = Table(  # domain.samples.SampleEvent; never edited
    "sample_event",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("uid", String(24), index=True),  # none: all samples
    Column("at", Instant, nullable=False),
    Column("account", _Account),  # none: the line
    Column("reason", Text, nullable=False),
    Column("type", String(32), nullable=False),
    Column("body", JSON, nullable=False),
    sqlite_autoincrement=True,
)

lot_event = Table(  # never edited
    "lot_event",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("lot", ForeignKey("lot.name"), nullable=False),
    Column("at", Instant, nullable=False),
    Column("account", _Account, nullable=False),
    Column("reason", Text, nullable=False),
    Column("type", String(32), nullable=False),
    Column("body", JSON, nullable=False),
    sqlite_autoincrement=True,
)

lot_range = Table(  # domain.serial_range.SerialRange; a trigger refuses one that meets another
    "lot_range",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("lot", ForeignKey("lot.name"), nullable=False),
    Column("shape", String(32), nullable=False),
    Column("fixed", String(32), nullable=False),
    Column("low", String(32), nullable=False),
    Column("high", String(32), nullable=False),
    Index("ix_lot_range_shape", "shape", "low"),
)

# messages for the MES, one row a receiver ("sink"); pending until one of `sent_at` and `dead_at` is set
_PENDING = "sent_at IS NULL AND dead_at IS NULL"
outbox = Table(
    "outbox",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("sink", String(16), nullable=False),
    Column("key", String(96), nullable=False),  # messages with one key are delivered in their order
    Column("type", String(64), nullable=False),
    Column("body", Text, nullable=False),  # as it is sent, and no secret in it
    Column("created_at", Instant, nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("refusals", Integer, nullable=False, server_default="0"),  # tries that the receiver refused for good
    Column("next_at", Instant),  # not to be tried before
    Column("error", Text),  # of the last try
    Column("sent_at", Instant),
    Column("dead_at", Instant),  # given up, until a person decides
    CheckConstraint("sent_at IS NULL OR dead_at IS NULL", name="one_end"),
    _few("ix_outbox_due", "sink", "tries", "id", where=_PENDING),
    _few("ix_outbox_key", "sink", "key", "id", where=_PENDING),
    _few("ix_outbox_next", "sink", "next_at", where=_PENDING),
    _few("ix_outbox_unsent", "id", where="sent_at IS NULL"),
    _few("ix_outbox_dead", "sink", "id", where="dead_at IS NOT NULL"),
    _few("ix_outbox_sent", "sent_at", where="sent_at IS NOT NULL"),
    sqlite_autoincrement=True,
)

outbox_decision = Table(  # what people have decided about messages: by which account, and why; never edited
    "outbox_decision",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("account", _Account, nullable=False),
    Column("action", String(8), nullable=False),
    Column("message", _Number, nullable=False),
    Column("sink", String(16), nullable=False),
    Column("key", String(96), nullable=False),
    Column("type", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    CheckConstraint("action IN ('retry', 'drop')", name="action"),
    sqlite_autoincrement=True,
)

# Signed statements of how far the chain of incarnation 0 reached; `domain.checkpoint`.
checkpoint = Table(
    "checkpoint",
    metadata,
    Column("number", _Number, primary_key=True, autoincrement=False),  # of the line
    Column("signed", Text, nullable=False),  # JSON
)

audit_decision = Table(  # who has accepted that the ledger lacks what this checkpoint signs; never edited
    "audit_decision",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("account", _Account, nullable=False),
    Column("reason", Text, nullable=False),
    Column("checkpoint", Text, nullable=False),  # JSON
    Column("number", _Number, nullable=False),  # of the newest line at that time
    sqlite_autoincrement=True,
)
