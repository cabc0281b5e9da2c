-- SPDX-License-Identifier: Apache-2.0

CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL,
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
)

CREATE TABLE attempt (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	station VARCHAR(64) NOT NULL,
	slot VARCHAR(32) NOT NULL,
	probe VARCHAR(126) NOT NULL,
	tty TEXT NOT NULL,
	recipe VARCHAR(64) NOT NULL,
	recipe_sha256 VARCHAR(64) NOT NULL,
	images JSON NOT NULL,
	lot VARCHAR(32) NOT NULL,
	started_at VARCHAR(24) NOT NULL,
	uid VARCHAR(24),
	dac_serial_number VARCHAR(40),
	verdict VARCHAR(4),
	fault VARCHAR(64),
	ended_at VARCHAR(24),
	seconds FLOAT NOT NULL,
	steps JSON NOT NULL, laboratory BOOLEAN DEFAULT 0 NOT NULL, station_version VARCHAR(32), station_commit VARCHAR(48),
	CONSTRAINT ck_attempt_ck_attempt_verdict CHECK (verdict IN ('pass', 'fail', 'void')),
	CONSTRAINT ck_attempt_ck_attempt_ended CHECK ((verdict IS NULL) = (ended_at IS NULL))
)

CREATE TABLE event (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	attempt_id INTEGER NOT NULL,
	at VARCHAR(24) NOT NULL,
	type VARCHAR(32) NOT NULL,
	body JSON NOT NULL,
	CONSTRAINT fk_event_attempt_id FOREIGN KEY(attempt_id) REFERENCES attempt (id)
)

CREATE TABLE identity (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	uid VARCHAR(24) NOT NULL,
	lot VARCHAR(32) NOT NULL,
	lot_index INTEGER NOT NULL,
	serial_number VARCHAR(32) NOT NULL,
	discriminator INTEGER NOT NULL,
	pairing_hash BLOB NOT NULL,
	manufacturing_date VARCHAR(8) NOT NULL,
	reserved_at VARCHAR(24) NOT NULL,
	state VARCHAR(16) NOT NULL, owned BOOLEAN DEFAULT 1 NOT NULL,
	CONSTRAINT ck_identity_ck_identity_state CHECK (state IN ('reserved', 'on_board', 'certified', 'confirmed', 'passed', 'burned', 'released')),
	CONSTRAINT uq_identity_uid UNIQUE (uid),
	CONSTRAINT uq_identity_serial_number UNIQUE (serial_number),
	CONSTRAINT uq_identity_pairing_hash UNIQUE (pairing_hash),
	CONSTRAINT uq_identity_lot_lot_index UNIQUE (lot, lot_index)
)

CREATE TABLE pki_request (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	"key" VARCHAR(64) NOT NULL,
	uid VARCHAR(24) NOT NULL,
	csr BLOB NOT NULL,
	submitted_at VARCHAR(24) NOT NULL,
	outcome VARCHAR(8),
	reason TEXT,
	answered_at VARCHAR(24), due_at VARCHAR(24), excused BOOLEAN DEFAULT 0 NOT NULL, closed BOOLEAN DEFAULT 0 NOT NULL,
	CONSTRAINT ck_pki_request_ck_pki_request_outcome CHECK (outcome IN ('issued', 'rejected')),
	CONSTRAINT ck_pki_request_ck_pki_request_answered CHECK ((outcome IS NULL) = (answered_at IS NULL))
)

CREATE TABLE certificate (
	"key" VARCHAR(64) NOT NULL,
	request_id INTEGER NOT NULL,
	dac_serial_number VARCHAR(40) NOT NULL,
	dac BLOB NOT NULL,
	pai BLOB NOT NULL,
	issued_at VARCHAR(24) NOT NULL,
	CONSTRAINT pk_certificate PRIMARY KEY ("key"),
	CONSTRAINT fk_certificate_request_id FOREIGN KEY(request_id) REFERENCES pki_request (id),
	CONSTRAINT uq_certificate_request_id UNIQUE (request_id),
	CONSTRAINT uq_certificate_dac_serial_number UNIQUE (dac_serial_number)
)

CREATE TABLE totals (
	id INTEGER NOT NULL,
	attempts BIGINT NOT NULL,
	passed BIGINT NOT NULL,
	failed BIGINT NOT NULL,
	void BIGINT NOT NULL,
	units BIGINT NOT NULL,
	judged BIGINT NOT NULL,
	passed_first BIGINT NOT NULL,
	laboratory BIGINT NOT NULL,
	CONSTRAINT pk_totals PRIMARY KEY (id),
	CONSTRAINT ck_totals_ck_totals_one_row CHECK (id = 1)
)

CREATE TABLE ledger (
	one INTEGER NOT NULL,
	id VARCHAR(32) NOT NULL,
	incarnation INTEGER NOT NULL,
	tick INTEGER NOT NULL,
	in_order BOOLEAN NOT NULL,
	skipped INTEGER NOT NULL,
	place JSON NOT NULL,
	CONSTRAINT pk_ledger PRIMARY KEY (one),
	CONSTRAINT ck_ledger_ck_ledger_one CHECK (one = 1)
)

CREATE TABLE lot_floor (
	lot VARCHAR(32) NOT NULL,
	next_index INTEGER NOT NULL,
	CONSTRAINT pk_lot_floor PRIMARY KEY (lot)
)

CREATE TABLE unit_release (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	uid VARCHAR(24) NOT NULL,
	at VARCHAR(24) NOT NULL,
	account VARCHAR(100) NOT NULL,
	reason TEXT NOT NULL
, incarnation INTEGER DEFAULT '1' NOT NULL)

CREATE TABLE intervention (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	station VARCHAR(64) NOT NULL,
	at VARCHAR(24) NOT NULL,
	who VARCHAR(100) NOT NULL,
	deed VARCHAR(16) NOT NULL,
	slot VARCHAR(32),
	fault VARCHAR(64),
	reason TEXT NOT NULL,
	CONSTRAINT ck_intervention_ck_intervention_deed CHECK (deed IN ('hold', 'release', 'drain'))
)

CREATE TABLE pki_answer (
	request_id INTEGER NOT NULL,
	at VARCHAR(24) NOT NULL,
	content BLOB NOT NULL,
	CONSTRAINT pk_pki_answer PRIMARY KEY (request_id),
	CONSTRAINT fk_pki_answer_request_id FOREIGN KEY(request_id) REFERENCES pki_request (id)
)

CREATE TABLE spare_certificate (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	request_id INTEGER,
	"key" VARCHAR(64) NOT NULL,
	serial_number TEXT NOT NULL,
	kind VARCHAR(8) NOT NULL,
	found_at VARCHAR(24) NOT NULL,
	reason TEXT NOT NULL,
	content BLOB,
	closed BOOLEAN DEFAULT 0 NOT NULL,
	CONSTRAINT fk_spare_certificate_request_id FOREIGN KEY(request_id) REFERENCES pki_request (id),
	CONSTRAINT ck_spare_certificate_ck_spare_certificate_kind CHECK (kind IN ('refused', 'surplus'))
)

CREATE TABLE pki_wait (
	endpoint TEXT NOT NULL,
	until VARCHAR(24) NOT NULL,
	CONSTRAINT pk_pki_wait PRIMARY KEY (endpoint)
)

CREATE TABLE pki_decision (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	at VARCHAR(24) NOT NULL,
	account VARCHAR(100) NOT NULL,
	action VARCHAR(16) NOT NULL,
	subject VARCHAR(64) NOT NULL,
	reason TEXT NOT NULL
)

CREATE TABLE figure (
	began BIGINT NOT NULL,
	id INTEGER NOT NULL,
	slot VARCHAR(32) NOT NULL,
	probe VARCHAR(126) NOT NULL,
	lot VARCHAR(32) NOT NULL,
	uid VARCHAR(24),
	verdict VARCHAR(4) NOT NULL,
	fault VARCHAR(64),
	step VARCHAR(32),
	seconds FLOAT NOT NULL,
	steps BLOB NOT NULL,
	laboratory BOOLEAN NOT NULL,
	first BOOLEAN NOT NULL,
	CONSTRAINT pk_figure PRIMARY KEY (began, id),
	CONSTRAINT fk_figure_id FOREIGN KEY(id) REFERENCES attempt (id)
)
 WITHOUT ROWID

CREATE TABLE lot (
	name VARCHAR(32) NOT NULL,
	work_order VARCHAR(64) NOT NULL,
	recipe VARCHAR(64) NOT NULL,
	recipe_sha256 VARCHAR(64) NOT NULL,
	planned INTEGER NOT NULL,
	pattern VARCHAR(96) NOT NULL,
	first INTEGER NOT NULL,
	size INTEGER NOT NULL,
	state VARCHAR(8) NOT NULL,
	live INTEGER NOT NULL,
	CONSTRAINT pk_lot PRIMARY KEY (name),
	CONSTRAINT ck_lot_ck_lot_state CHECK (state IN ('open', 'paused', 'closed')),
	CONSTRAINT ck_lot_ck_lot_planned CHECK (planned > 0 AND planned <= size),
	CONSTRAINT ck_lot_ck_lot_live CHECK (live >= 0 AND live <= planned)
)

CREATE TABLE lot_event (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	lot VARCHAR(32) NOT NULL,
	at VARCHAR(24) NOT NULL,
	account VARCHAR(100) NOT NULL,
	reason TEXT NOT NULL,
	type VARCHAR(32) NOT NULL,
	body JSON NOT NULL,
	CONSTRAINT fk_lot_event_lot FOREIGN KEY(lot) REFERENCES lot (name)
)

CREATE TABLE lot_range (
	id INTEGER NOT NULL,
	lot VARCHAR(32) NOT NULL,
	shape VARCHAR(32) NOT NULL,
	fixed VARCHAR(32) NOT NULL,
	low VARCHAR(32) NOT NULL,
	high VARCHAR(32) NOT NULL,
	CONSTRAINT pk_lot_range PRIMARY KEY (id),
	CONSTRAINT fk_lot_range_lot FOREIGN KEY(lot) REFERENCES lot (name)
)

CREATE TABLE unit_event (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	uid VARCHAR(24) NOT NULL,
	at VARCHAR(24) NOT NULL,
	account VARCHAR(100),
	reason TEXT NOT NULL,
	type VARCHAR(32) NOT NULL,
	body JSON NOT NULL
)

CREATE TABLE sample_event (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	uid VARCHAR(24),
	at VARCHAR(24) NOT NULL,
	account VARCHAR(100),
	reason TEXT NOT NULL,
	type VARCHAR(32) NOT NULL,
	body JSON NOT NULL
)

CREATE TABLE sealed_secret (
	identity_id INTEGER NOT NULL,
	key_id VARCHAR(16) NOT NULL,
	wrapped_key BLOB NOT NULL,
	content BLOB NOT NULL,
	CONSTRAINT pk_sealed_secret PRIMARY KEY (identity_id),
	CONSTRAINT fk_sealed_secret_identity_id FOREIGN KEY(identity_id) REFERENCES identity (id)
)

CREATE TABLE secrets_state (
	one INTEGER NOT NULL,
	key_id VARCHAR(16) NOT NULL,
	retiring_id VARCHAR(16),
	pairing_id VARCHAR(16),
	scrub BOOLEAN NOT NULL,
	CONSTRAINT pk_secrets_state PRIMARY KEY (one),
	CONSTRAINT ck_secrets_state_ck_secrets_state_one CHECK (one = 1)
)

CREATE TABLE secrets_deed (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	at VARCHAR(24) NOT NULL,
	station VARCHAR(64) NOT NULL,
	who VARCHAR(100) NOT NULL,
	deed VARCHAR(16) NOT NULL,
	uid VARCHAR(24),
	lot VARCHAR(32),
	units INTEGER NOT NULL,
	recipient VARCHAR(64),
	reason TEXT NOT NULL,
	CONSTRAINT ck_secrets_deed_ck_secrets_deed_deed CHECK (deed IN ('show', 'export', 'forget', 'rotate'))
)

CREATE TABLE outbox (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	sink VARCHAR(16) NOT NULL,
	"key" VARCHAR(96) NOT NULL,
	type VARCHAR(64) NOT NULL,
	body TEXT NOT NULL,
	created_at VARCHAR(24) NOT NULL,
	tries INTEGER DEFAULT '0' NOT NULL,
	refusals INTEGER DEFAULT '0' NOT NULL,
	next_at VARCHAR(24),
	error TEXT,
	sent_at VARCHAR(24),
	dead_at VARCHAR(24),
	CONSTRAINT ck_outbox_ck_outbox_one_end CHECK (sent_at IS NULL OR dead_at IS NULL)
)

CREATE TABLE outbox_decision (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	at VARCHAR(24) NOT NULL,
	account VARCHAR(100) NOT NULL,
	action VARCHAR(8) NOT NULL,
	message INTEGER NOT NULL,
	sink VARCHAR(16) NOT NULL,
	"key" VARCHAR(96) NOT NULL,
	type VARCHAR(64) NOT NULL,
	reason TEXT NOT NULL,
	CONSTRAINT ck_outbox_decision_ck_outbox_decision_action CHECK (action IN ('retry', 'drop'))
)

CREATE TABLE label_event (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	at VARCHAR(24) NOT NULL,
	station VARCHAR(64) NOT NULL,
	uid VARCHAR(24) NOT NULL,
	type VARCHAR(32) NOT NULL,
	copy INTEGER NOT NULL,
	who VARCHAR(100) NOT NULL,
	reason TEXT NOT NULL,
	slot VARCHAR(32),
	other VARCHAR(32)
)

CREATE TABLE label_floor (
	recipe VARCHAR(64) NOT NULL,
	first_attempt INTEGER NOT NULL,
	CONSTRAINT pk_label_floor PRIMARY KEY (recipe)
)

CREATE TABLE label_required (
	recipe_sha256 VARCHAR(64) NOT NULL,
	CONSTRAINT pk_label_required PRIMARY KEY (recipe_sha256)
)

CREATE TABLE shared_state (
	one INTEGER NOT NULL,
	station INTEGER NOT NULL,
	incarnation INTEGER NOT NULL,
	local_incarnation INTEGER NOT NULL,
	ledger VARCHAR(32) NOT NULL,
	next_ledger VARCHAR(32),
	tick INTEGER NOT NULL,
	fleet_check VARCHAR(16) NOT NULL,
	stopped VARCHAR(8),
	place TEXT NOT NULL,
	joined INTEGER,
	request VARCHAR(32),
	request_lot VARCHAR(32),
	request_release VARCHAR(64),
	request_blocks INTEGER,
	CONSTRAINT pk_shared_state PRIMARY KEY (one),
	CONSTRAINT ck_shared_state_ck_shared_state_one CHECK (one = 1)
)

CREATE TABLE chain (
	incarnation INTEGER NOT NULL,
	number INTEGER NOT NULL,
	event_id INTEGER,
	at VARCHAR(24),
	type VARCHAR(32),
	body TEXT,
	hash BLOB NOT NULL,
	CONSTRAINT pk_chain PRIMARY KEY (incarnation, number)
)
 WITHOUT ROWID

CREATE TABLE chain_base (
	incarnation INTEGER NOT NULL,
	number INTEGER NOT NULL,
	hash BLOB NOT NULL,
	acked INTEGER NOT NULL,
	CONSTRAINT pk_chain_base PRIMARY KEY (incarnation)
)

CREATE TABLE chain_attempt (
	attempt INTEGER NOT NULL,
	incarnation INTEGER NOT NULL,
	number INTEGER NOT NULL,
	release VARCHAR(64) NOT NULL,
	CONSTRAINT pk_chain_attempt PRIMARY KEY (attempt),
	CONSTRAINT fk_chain_attempt_attempt FOREIGN KEY(attempt) REFERENCES attempt (id)
)

CREATE TABLE shared_told (
	incarnation INTEGER NOT NULL,
	pai VARCHAR(64) NOT NULL,
	CONSTRAINT pk_shared_told PRIMARY KEY (incarnation, pai)
)

CREATE TABLE block (
	lot VARCHAR(32) NOT NULL,
	number INTEGER NOT NULL,
	incarnation INTEGER NOT NULL,
	release VARCHAR(64) NOT NULL,
	first_index INTEGER NOT NULL,
	next_index INTEGER NOT NULL,
	end_index INTEGER NOT NULL,
	lot_first INTEGER NOT NULL,
	lot_size INTEGER NOT NULL,
	lot_format VARCHAR(96) NOT NULL,
	given_back BOOLEAN DEFAULT 0 NOT NULL,
	CONSTRAINT pk_block PRIMARY KEY (lot, number)
)

CREATE TABLE pair (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	hash INTEGER NOT NULL,
	incarnation INTEGER NOT NULL,
	request VARCHAR(32) NOT NULL,
	state VARCHAR(4) NOT NULL,
	sealed BLOB NOT NULL,
	CONSTRAINT uq_pair_hash UNIQUE (hash),
	CONSTRAINT ck_pair_ck_pair_state CHECK (state IN ('open', 'ours', 'used', 'gone'))
)

CREATE TABLE adoption (
	uid VARCHAR(24) NOT NULL,
	at VARCHAR(24) NOT NULL,
	epoch INTEGER NOT NULL,
	began_at TEXT NOT NULL,
	state VARCHAR(16) NOT NULL,
	images TEXT NOT NULL,
	event_id INTEGER NOT NULL,
	CONSTRAINT pk_adoption PRIMARY KEY (uid)
)

CREATE TABLE checkpoint (
	number INTEGER NOT NULL,
	signed TEXT NOT NULL,
	CONSTRAINT pk_checkpoint PRIMARY KEY (number)
)

CREATE TABLE audit_decision (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	at VARCHAR(24) NOT NULL,
	account VARCHAR(100) NOT NULL,
	reason TEXT NOT NULL,
	checkpoint TEXT NOT NULL,
	number INTEGER NOT NULL
)

INSERT INTO alembic_version VALUES ('0019')

INSERT INTO totals VALUES (1, 0, 0, 0, 0, 0, 0, 0, 0)

CREATE INDEX ix_attempt_uid ON attempt (uid)

CREATE INDEX ix_event_attempt_id ON event (attempt_id)

CREATE INDEX ix_pki_request_key ON pki_request ("key")

CREATE INDEX ix_pki_request_uid ON pki_request (uid)

CREATE TRIGGER event_no_update BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'an event is never edited'); END

CREATE TRIGGER event_no_delete BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'an event is never edited'); END

CREATE INDEX ix_attempt_open ON attempt (id) WHERE verdict IS NULL

CREATE INDEX ix_pki_request_unanswered ON pki_request (id) WHERE outcome IS NULL

CREATE INDEX ix_event_of_unit ON event (attempt_id, type) WHERE type = 'Confirmed' OR type = 'CoprocessorReady'

CREATE INDEX ix_unit_release_uid ON unit_release (uid)

CREATE TRIGGER unit_release_no_update BEFORE UPDATE ON unit_release BEGIN SELECT RAISE(ABORT, 'a release is never edited'); END

CREATE TRIGGER unit_release_no_delete BEFORE DELETE ON unit_release BEGIN SELECT RAISE(ABORT, 'a release is never edited'); END

CREATE INDEX ix_attempt_started_at ON attempt (started_at)

CREATE INDEX ix_intervention_at ON intervention (at)

CREATE TRIGGER intervention_no_update BEFORE UPDATE ON intervention BEGIN SELECT RAISE(ABORT, 'an intervention is never edited'); END

CREATE TRIGGER intervention_no_delete BEFORE DELETE ON intervention BEGIN SELECT RAISE(ABORT, 'an intervention is never edited'); END

CREATE INDEX ix_spare_certificate_key ON spare_certificate ("key")

CREATE TRIGGER pki_decision_no_update BEFORE UPDATE ON pki_decision BEGIN SELECT RAISE(ABORT, 'a decision is never edited'); END

CREATE TRIGGER pki_decision_no_delete BEFORE DELETE ON pki_decision BEGIN SELECT RAISE(ABORT, 'a decision is never edited'); END

CREATE UNIQUE INDEX ix_lot_open ON lot (state) WHERE state = 'open'

CREATE INDEX ix_lot_range_shape ON lot_range (shape, low)

CREATE TRIGGER lot_range_apart BEFORE INSERT ON lot_range WHEN EXISTS (
    SELECT 1 FROM lot_range AS other
    WHERE other.shape = new.shape AND other.low <= new.high AND new.low <= other.high AND (
        length(other.fixed) <= length(new.fixed)
        AND substr(new.fixed, length(new.fixed) - length(other.fixed) + 1) = other.fixed
        OR length(other.fixed) > length(new.fixed)
        AND substr(other.fixed, length(other.fixed) - length(new.fixed) + 1) = new.fixed
    )
) BEGIN SELECT RAISE(ABORT, 'two lots have a serial number in common'); END

CREATE TRIGGER lot_event_no_update BEFORE UPDATE ON lot_event BEGIN SELECT RAISE(ABORT, 'what is known of a lot is never edited'); END

CREATE TRIGGER lot_event_no_delete BEFORE DELETE ON lot_event BEGIN SELECT RAISE(ABORT, 'what is known of a lot is never edited'); END

CREATE TRIGGER lot_range_no_update BEFORE UPDATE ON lot_range BEGIN SELECT RAISE(ABORT, 'what is known of a lot is never edited'); END

CREATE TRIGGER lot_range_no_delete BEFORE DELETE ON lot_range BEGIN SELECT RAISE(ABORT, 'what is known of a lot is never edited'); END

CREATE INDEX ix_unit_event_uid ON unit_event (uid)

CREATE TRIGGER unit_event_no_update BEFORE UPDATE ON unit_event BEGIN SELECT RAISE(ABORT, 'a decision about a unit is never edited'); END

CREATE TRIGGER unit_event_no_delete BEFORE DELETE ON unit_event BEGIN SELECT RAISE(ABORT, 'a decision about a unit is never edited'); END

CREATE INDEX ix_sample_event_uid ON sample_event (uid)

CREATE TRIGGER sample_event_no_update BEFORE UPDATE ON sample_event BEGIN SELECT RAISE(ABORT, 'an event of a sample is never edited'); END

CREATE TRIGGER sample_event_no_delete BEFORE DELETE ON sample_event BEGIN SELECT RAISE(ABORT, 'an event of a sample is never edited'); END

CREATE INDEX ix_secrets_deed_uid ON secrets_deed (uid)

CREATE TRIGGER secrets_deed_no_update BEFORE UPDATE ON secrets_deed BEGIN SELECT RAISE(ABORT, 'a deed is never edited'); END

CREATE TRIGGER secrets_deed_no_delete BEFORE DELETE ON secrets_deed BEGIN SELECT RAISE(ABORT, 'a deed is never edited'); END

CREATE INDEX ix_outbox_due ON outbox (sink, tries, id) WHERE sent_at IS NULL AND dead_at IS NULL

CREATE INDEX ix_outbox_key ON outbox (sink, "key", id) WHERE sent_at IS NULL AND dead_at IS NULL

CREATE INDEX ix_outbox_next ON outbox (sink, next_at) WHERE sent_at IS NULL AND dead_at IS NULL

CREATE INDEX ix_outbox_unsent ON outbox (id) WHERE sent_at IS NULL

CREATE INDEX ix_outbox_dead ON outbox (sink, id) WHERE dead_at IS NOT NULL

CREATE INDEX ix_outbox_sent ON outbox (sent_at) WHERE sent_at IS NOT NULL

CREATE TRIGGER outbox_decision_no_update BEFORE UPDATE ON outbox_decision BEGIN SELECT RAISE(ABORT, 'a decision is never edited'); END

CREATE TRIGGER outbox_decision_no_delete BEFORE DELETE ON outbox_decision BEGIN SELECT RAISE(ABORT, 'a decision is never edited'); END

CREATE INDEX ix_label_event_uid ON label_event (uid)

CREATE UNIQUE INDEX ux_label_event_print ON label_event (uid, copy) WHERE type = 'LabelPrintStarted'

CREATE TRIGGER label_event_no_update BEFORE UPDATE ON label_event BEGIN SELECT RAISE(ABORT, 'a label event is never edited'); END

CREATE TRIGGER label_event_no_delete BEFORE DELETE ON label_event BEGIN SELECT RAISE(ABORT, 'a label event is never edited'); END

CREATE TRIGGER chain_no_update BEFORE UPDATE ON chain BEGIN SELECT RAISE(ABORT, 'a line of the chain is never edited'); END

CREATE INDEX ix_block_open ON block (incarnation, lot, release, number) WHERE given_back = 0 AND next_index < end_index

CREATE INDEX ix_pair_ours ON pair (incarnation, id) WHERE state = 'ours'

CREATE INDEX ix_pair_open ON pair (id) WHERE state = 'open'

CREATE TRIGGER audit_decision_no_update BEFORE UPDATE ON audit_decision BEGIN SELECT RAISE(ABORT, 'a decision is never edited'); END

CREATE TRIGGER audit_decision_no_delete BEFORE DELETE ON audit_decision BEGIN SELECT RAISE(ABORT, 'a decision is never edited'); END
