# SPDX-License-Identifier: Apache-2.0
"""The tables of a ledger that shares its numbers with other stations: empty in a standalone ledger."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from station.adapters.ledger.tables import Instant, metadata

_Lot, _Release, _Hash = String(32), String(64), LargeBinary(32)
_Number = BigInteger().with_variant(Integer, "sqlite")

shared_state = Table(  # one row, from the first opening with a centre on
    "shared_state",
    metadata,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("station", Integer, nullable=False),  # the centre's number; 0 before the first enrolment
    Column("incarnation", Integer, nullable=False),  # the centre's number; 0 before the first enrolment
    Column("local_incarnation", Integer, nullable=False),  # that of `ledger` at the enrolment
    Column("ledger", String(32), nullable=False),  # the id under which it has enrolled; empty before
    Column("next_ledger", String(32)),  # the id that an enrolment without an answer has named
    Column("tick", _Number, nullable=False),  # the highest that the ledger has seen of the centre
    Column("fleet_check", String(16), nullable=False),  # of the fleet key that has sealed the pairs
    Column("stopped", String(8)),  # shared.Stopped
    Column("place", Text, nullable=False),  # as the centre was told it
    Column("joined", _Number),  # the last identity of a standalone past that was told; none if all were
    # the request for blocks and pairs that has no answer yet
    Column("request", String(32)),
    Column("request_lot", _Lot),
    Column("request_release", _Release),
    Column("request_blocks", Integer),
    CheckConstraint("one = 1", name="one"),
)

# The journal for the centre, in its order. A row is a link to an event, whose line is made from the event, or a fact.
chain = Table(
    "chain",
    metadata,
    Column("incarnation", Integer, nullable=False),
    Column("number", _Number, nullable=False),  # counts from 1 in each incarnation
    Column("event_id", _Number),
    Column("at", Instant),
    Column("type", String(32)),
    Column("body", Text),  # canonical JSON
    Column("hash", _Hash, nullable=False),  # SHA-256 over the hash before it and the line
    PrimaryKeyConstraint("incarnation", "number"),
    sqlite_with_rowid=False,
)

chain_base = (
    Table(  # one row an incarnation: the line before the first that is still there, and how far the centre has it
        "chain_base",
        metadata,
        Column("incarnation", Integer, primary_key=True, autoincrement=False),
        Column("number", _Number, nullable=False),
        Column("hash", _Hash, nullable=False),
        Column("acked", _Number, nullable=False),
    )
)

chain_attempt = Table(  # the attempts without a verdict: their first lines
    "chain_attempt",
    metadata,
    Column("attempt", ForeignKey("attempt.id"), primary_key=True, autoincrement=False),
    Column("incarnation", Integer, nullable=False),
    Column("number", _Number, nullable=False),
    Column("release", _Release, nullable=False),
)

shared_told = Table(  # the intermediate certificates that an incarnation has told
    "shared_told",
    metadata,
    Column("incarnation", Integer, nullable=False),
    Column("pai", String(64), nullable=False),
    PrimaryKeyConstraint("incarnation", "pai"),
)

_OPEN = "given_back = 0 AND next_index < end_index"
block = Table(  # a block is given once and for ever: of an earlier incarnation it is burned
    "block",
    metadata,
    Column("lot", _Lot, nullable=False),
    Column("number", Integer, nullable=False),
    Column("incarnation", Integer, nullable=False),
    Column("release", _Release, nullable=False),
    Column("first_index", Integer, nullable=False),
    Column("next_index", Integer, nullable=False),
    Column("end_index", Integer, nullable=False),
    Column("lot_first", Integer, nullable=False),
    Column("lot_size", Integer, nullable=False),
    Column("lot_format", String(96), nullable=False),
    Column("given_back", Boolean, nullable=False, server_default=false()),
    PrimaryKeyConstraint("lot", "number"),
    Index("ix_block_open", "incarnation", "lot", "release", "number", sqlite_where=text(_OPEN)),
)

# Pairs of passcode and discriminator by their keyed hash. Rows are only appended, and later overwritten by content of the
# same size, so that no copy of a sealed pair stays behind in a page.
pair = Table(
    "pair",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("hash", _Number, nullable=False),
    Column("incarnation", Integer, nullable=False),
    Column("request", String(32), nullable=False),
    Column("state", String(4), nullable=False),  # leases.PairState
    Column("sealed", LargeBinary(34), nullable=False),  # zeros once it was used or burned
    UniqueConstraint("hash"),
    CheckConstraint("state IN ('open', 'ours', 'used', 'gone')", name="state"),
    Index("ix_pair_ours", "incarnation", "id", sqlite_where=text("state = 'ours'")),
    Index("ix_pair_open", "id", sqlite_where=text("state = 'open'")),
    sqlite_autoincrement=True,
)

adoption = Table(  # the units that another station began
    "adoption",
    metadata,
    Column("uid", String(24), primary_key=True),
    Column("at", Instant, nullable=False),
    Column("epoch", _Number, nullable=False),
    Column("began_at", Text, nullable=False),  # the name of the station that took the identity
    Column("state", String(16), nullable=False),  # of the identity at its adoption
    Column("images", Text, nullable=False),  # JSON: SHA-256 of the images with which another station has passed it
    Column("event_id", _Number, nullable=False),  # the newest event of this ledger at that time
)
