# SPDX-License-Identifier: Apache-2.0
"""The first tables.

Primary keys, row locks, ON CONFLICT and partitions by range are all that they need, so that engines which speak PostgreSQL's
protocol can hold them. `attempt` and `segment` grow for ever: `partitions` makes and detaches their months.
"""

from alembic import op

revision = "c0001"
down_revision = None

TABLES = """
-- Which server this is. Whoever restores it, or promotes a standby, begins a new timeline; a dump loaded elsewhere meets another
-- system identifier. The control file learns of a timeline at a checkpoint only, the name of the write-ahead log at once.
CREATE VIEW server AS
  SELECT system_identifier::text AS system_id,
         ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int AS timeline,
         pg_postmaster_start_time() AS started_at
  FROM pg_control_system();

CREATE TABLE central (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  tick bigint NOT NULL DEFAULT 0,                -- counts the grants
  generation uuid NOT NULL DEFAULT gen_random_uuid(),
  system_id text NOT NULL,
  timeline int NOT NULL,
  started_at timestamptz NOT NULL DEFAULT now(), -- when this generation began
  open_from timestamptz NOT NULL DEFAULT now(),  -- a person has ended the wait after the server's start
  frozen text,                                   -- why nothing is granted
  fleet_check text,
  kept_from timestamptz                          -- older attempts and segments may be detached
);

CREATE TABLE station (
  id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL UNIQUE,
  db_role text NOT NULL UNIQUE,
  public_key bytea,
  incarnations int NOT NULL DEFAULT 0,
  joined boolean NOT NULL DEFAULT false          -- its ledger was standalone and has serial numbers of that time
);

CREATE TABLE incarnation (
  station int REFERENCES station,
  number int,
  ledger_id uuid NOT NULL,
  place text NOT NULL,
  closed boolean NOT NULL DEFAULT false,
  retired boolean NOT NULL DEFAULT false,
  base bytea NOT NULL,
  next_line bigint NOT NULL DEFAULT 1,
  head bytea NOT NULL,
  heard_at timestamptz NOT NULL DEFAULT now(),
  newest_at timestamptz,                         -- the moment of its newest line, by its own clock
  PRIMARY KEY (station, number),
  UNIQUE (station, ledger_id)
);

CREATE TABLE lot (
  name text PRIMARY KEY,
  serial_format text NOT NULL,
  first bigint NOT NULL,
  size bigint NOT NULL CHECK (size > 0),
  grid int NOT NULL DEFAULT 256 CHECK (grid > 0),
  next_block bigint NOT NULL DEFAULT 0,
  CHECK (next_block BETWEEN 0 AND (size + grid - 1) / grid)
);

CREATE TABLE approval (
  lot text REFERENCES lot,
  release text,
  approved_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (lot, release)
);

CREATE TABLE block (
  lot text REFERENCES lot,
  number bigint,
  station int NOT NULL,
  incarnation int NOT NULL,
  request text NOT NULL,
  release text NOT NULL,
  state text NOT NULL DEFAULT 'held' CHECK (state IN ('held', 'returned', 'burned')),
  taken int NOT NULL DEFAULT 0,                  -- its serial numbers that units have got
  PRIMARY KEY (lot, number)
);
CREATE INDEX block_of_incarnation ON block (station, incarnation, request);

CREATE TABLE pairing (
  hash bigint PRIMARY KEY,
  station int NOT NULL,
  incarnation int NOT NULL
);

CREATE TABLE unit (
  uid bytea PRIMARY KEY,
  station int NOT NULL,
  incarnation int NOT NULL,
  epoch int NOT NULL,
  lot text,
  idx bigint,
  rank smallint NOT NULL DEFAULT 0,
  verdict text,
  fault text,
  first_verdict text,
  release text,                                  -- of the last attempt that passed it
  attempts int NOT NULL DEFAULT 0,
  seen_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 80);
CREATE INDEX unit_of_station ON unit (station, seen_at);

CREATE TABLE identity (
  lot text,
  idx bigint,
  uid bytea NOT NULL,
  station int NOT NULL,
  incarnation int NOT NULL,
  serial_number text NOT NULL,
  sealed bytea NOT NULL,
  PRIMARY KEY (lot, idx)
);

CREATE TABLE pai (
  id bytea PRIMARY KEY,
  content bytea NOT NULL
);

CREATE TABLE certificate (
  key bytea PRIMARY KEY,
  dac_serial bytea NOT NULL UNIQUE,
  uid bytea NOT NULL,
  dac bytea NOT NULL,
  pai bytea NOT NULL,
  told_at timestamptz NOT NULL
);
CREATE INDEX certificate_of_unit ON certificate (uid);

CREATE TABLE request (
  station int,
  incarnation int,
  number bigint,
  key bytea NOT NULL,
  uid bytea NOT NULL,
  answered boolean NOT NULL DEFAULT false,
  PRIMARY KEY (station, incarnation, number)
);
CREATE INDEX request_pending ON request (uid) WHERE NOT answered;

CREATE TABLE attempt (
  station int,
  incarnation int,
  number bigint,
  uid bytea,
  slot text NOT NULL,
  verdict text NOT NULL,
  fault text,
  started_at timestamptz,
  seconds real NOT NULL,
  lot text NOT NULL,
  release text NOT NULL,
  laboratory boolean NOT NULL,
  first_line bigint NOT NULL,
  last_line bigint NOT NULL,
  PRIMARY KEY (station, incarnation, number, started_at)
) PARTITION BY RANGE (started_at);
CREATE INDEX attempt_of_unit ON attempt (uid);
CREATE TABLE attempt_rest PARTITION OF attempt DEFAULT;

CREATE TABLE segment (
  station int,
  incarnation int,
  first_line bigint,
  last_line bigint NOT NULL,
  previous bytea NOT NULL,
  head bytea NOT NULL,
  body bytea NOT NULL,                           -- zlib of the lines' exact bytes, joined by line ends
  received_at timestamptz DEFAULT now(),
  PRIMARY KEY (station, incarnation, first_line, received_at)
) PARTITION BY RANGE (received_at);
ALTER TABLE segment ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE TABLE segment_rest PARTITION OF segment DEFAULT;

CREATE TABLE yield (
  hour timestamptz,
  station int,
  slot text,
  lot text,
  release text,
  verdict text,
  fault text,                                    -- empty for a pass
  attempts bigint NOT NULL,
  PRIMARY KEY (hour, station, slot, lot, release, verdict, fault)
);

CREATE TABLE checkpoint (
  station int,
  incarnation int,
  line bigint,
  head bytea NOT NULL,
  signature bytea NOT NULL,
  PRIMARY KEY (station, incarnation, line)
);

CREATE TABLE anomaly (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT now(),
  kind text NOT NULL,
  subject text NOT NULL,                         -- what it is about: one anomaly of a kind for each
  detail jsonb NOT NULL,
  settled_by text,
  UNIQUE (kind, subject)
);

CREATE VIEW unit_shown AS
  SELECT u.uid, u.lot, u.idx, i.serial_number, u.rank, u.verdict, u.fault, u.first_verdict, u.attempts, u.epoch, u.seen_at,
         u.station AS station_id, s.name AS station, b.name AS began_at
  FROM unit u
  JOIN station s ON s.id = u.station
  LEFT JOIN identity i ON i.lot = u.lot AND i.idx = u.idx AND i.uid = u.uid
  LEFT JOIN station b ON b.id = i.station;
"""


def upgrade() -> None:
    op.execute(TABLES)
