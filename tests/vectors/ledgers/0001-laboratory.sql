BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE attempt (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	station VARCHAR(64) NOT NULL, 
	slot VARCHAR(32) NOT NULL, 
	probe VARCHAR(64) NOT NULL, 
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
	steps JSON NOT NULL, 
	CONSTRAINT ck_attempt_ck_attempt_verdict CHECK (verdict IN ('pass', 'fail', 'void')), 
	CONSTRAINT ck_attempt_ck_attempt_ended CHECK ((verdict IS NULL) = (ended_at IS NULL))
);
INSERT INTO "attempt" VALUES(1,'demo-line','1','066C490C7FA5EBFFFC7900E4','/tmp/old_st/dev/ttyACM0','st-demonstration','8414ee2a5f1746d7e4d0bd58fa1d17a0c8c738fddee937b1addefe335764af6b','{"st-demonstration-flash": "c20a18da25d4939184b5e6c0c7613c21ac7b3d7f0153135a4823fa43a6cbe55a", "operational-flash": "27a5ad4c42076180a47fcfb3bda712c2d0732fb762c68e73a58d8291010eda92"}','ST-DEMONSTRATION','2026-11-25T20:23:28.242Z','d9656baf0951323737313530','1E067F3BFECDD813','pass',NULL,'2026-11-25T20:23:29.647Z',1.405,'{"recognise": 0.224, "flash_data": 0.088, "flash_provisioner": 0.114, "deliver": 0.453, "flash_operational": 0.108, "confirm": 0.112}');
INSERT INTO "attempt" VALUES(2,'demo-line','2','0665FFF7749E5A4FB608D495','/tmp/old_st/dev/ttyACM1','st-demonstration','8414ee2a5f1746d7e4d0bd58fa1d17a0c8c738fddee937b1addefe335764af6b','{"st-demonstration-flash": "c20a18da25d4939184b5e6c0c7613c21ac7b3d7f0153135a4823fa43a6cbe55a", "operational-flash": "27a5ad4c42076180a47fcfb3bda712c2d0732fb762c68e73a58d8291010eda92"}','ST-DEMONSTRATION','2026-11-25T20:23:28.298Z','0bfc64e36e51333733353735','1E067F3BFECDD813','pass',NULL,'2026-11-25T20:23:29.722Z',1.424,'{"recognise": 0.212, "flash_data": 0.187, "flash_provisioner": 0.028, "deliver": 0.525, "flash_operational": 0.073, "confirm": 0.108}');
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
);
CREATE TABLE event (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	attempt_id INTEGER NOT NULL, 
	at VARCHAR(24) NOT NULL, 
	type VARCHAR(32) NOT NULL, 
	body JSON NOT NULL, 
	CONSTRAINT fk_event_attempt_id FOREIGN KEY(attempt_id) REFERENCES attempt (id)
);
INSERT INTO "event" VALUES(1,1,'2026-11-25T20:23:28.266Z','StepStarted','{"step": "recognise"}');
INSERT INTO "event" VALUES(2,2,'2026-11-25T20:23:28.314Z','StepStarted','{"step": "recognise"}');
INSERT INTO "event" VALUES(3,1,'2026-11-25T20:23:28.387Z','UnitIdentified','{"uid": "d9656baf0951323737313530", "device_id": 1173, "supply_mv": 3280, "probe_firmware": "V2J45M30", "programmer_version": "2.19.0"}');
INSERT INTO "event" VALUES(4,2,'2026-11-25T20:23:28.419Z','UnitIdentified','{"uid": "0bfc64e36e51333733353735", "device_id": 1173, "supply_mv": 3280, "probe_firmware": "V2J45M30", "programmer_version": "2.19.0"}');
INSERT INTO "event" VALUES(5,1,'2026-11-25T20:23:28.486Z','IdentityReserved','{"serial_number": "STD00000001"}');
INSERT INTO "event" VALUES(6,1,'2026-11-25T20:23:28.505Z','StepFinished','{"step": "recognise", "seconds": 0.224}');
INSERT INTO "event" VALUES(7,2,'2026-11-25T20:23:28.518Z','IdentityReserved','{"serial_number": "STD00000002"}');
INSERT INTO "event" VALUES(8,1,'2026-11-25T20:23:28.526Z','ProcedureChosen','{"procedure": "provision_by_partner"}');
INSERT INTO "event" VALUES(9,2,'2026-11-25T20:23:28.537Z','StepFinished','{"step": "recognise", "seconds": 0.212}');
INSERT INTO "event" VALUES(10,1,'2026-11-25T20:23:28.551Z','StepStarted','{"step": "flash_data"}');
INSERT INTO "event" VALUES(11,2,'2026-11-25T20:23:28.564Z','ProcedureChosen','{"procedure": "provision_by_partner"}');
INSERT INTO "event" VALUES(12,1,'2026-11-25T20:23:28.566Z','FactoryDataWritten','{}');
INSERT INTO "event" VALUES(13,2,'2026-11-25T20:23:28.579Z','StepStarted','{"step": "flash_data"}');
INSERT INTO "event" VALUES(14,2,'2026-11-25T20:23:28.623Z','FactoryDataWritten','{}');
INSERT INTO "event" VALUES(15,1,'2026-11-25T20:23:28.654Z','StepFinished','{"step": "flash_data", "seconds": 0.088}');
INSERT INTO "event" VALUES(16,1,'2026-11-25T20:23:28.666Z','StepStarted','{"step": "flash_provisioner"}');
INSERT INTO "event" VALUES(17,1,'2026-11-25T20:23:28.795Z','StepFinished','{"step": "flash_provisioner", "seconds": 0.114}');
INSERT INTO "event" VALUES(18,2,'2026-11-25T20:23:28.810Z','StepFinished','{"step": "flash_data", "seconds": 0.187}');
INSERT INTO "event" VALUES(19,1,'2026-11-25T20:23:28.819Z','StepStarted','{"step": "deliver"}');
INSERT INTO "event" VALUES(20,2,'2026-11-25T20:23:28.830Z','StepStarted','{"step": "flash_provisioner"}');
INSERT INTO "event" VALUES(21,2,'2026-11-25T20:23:28.898Z','StepFinished','{"step": "flash_provisioner", "seconds": 0.028}');
INSERT INTO "event" VALUES(22,2,'2026-11-25T20:23:28.918Z','StepStarted','{"step": "deliver"}');
INSERT INTO "event" VALUES(23,1,'2026-11-25T20:23:29.307Z','StepFinished','{"step": "deliver", "seconds": 0.453}');
INSERT INTO "event" VALUES(24,1,'2026-11-25T20:23:29.322Z','StepStarted','{"step": "flash_operational"}');
INSERT INTO "event" VALUES(25,2,'2026-11-25T20:23:29.446Z','StepFinished','{"step": "deliver", "seconds": 0.525}');
INSERT INTO "event" VALUES(26,1,'2026-11-25T20:23:29.448Z','StepFinished','{"step": "flash_operational", "seconds": 0.108}');
INSERT INTO "event" VALUES(27,2,'2026-11-25T20:23:29.459Z','StepStarted','{"step": "flash_operational"}');
INSERT INTO "event" VALUES(28,1,'2026-11-25T20:23:29.482Z','StepStarted','{"step": "confirm"}');
INSERT INTO "event" VALUES(29,1,'2026-11-25T20:23:29.508Z','LaboratoryUnit','{}');
INSERT INTO "event" VALUES(30,1,'2026-11-25T20:23:29.538Z','CredentialsFound','{"key": "c0df0d99c352bd08b14183f101eb5e496e3cb132c2f28b92e2ec9abe4618b707", "dac_serial_number": "1E067F3BFECDD813", "key_storage": "flash"}');
INSERT INTO "event" VALUES(31,2,'2026-11-25T20:23:29.567Z','StepFinished','{"step": "flash_operational", "seconds": 0.073}');
INSERT INTO "event" VALUES(32,2,'2026-11-25T20:23:29.586Z','StepStarted','{"step": "confirm"}');
INSERT INTO "event" VALUES(33,1,'2026-11-25T20:23:29.594Z','Confirmed','{}');
INSERT INTO "event" VALUES(34,2,'2026-11-25T20:23:29.600Z','LaboratoryUnit','{}');
INSERT INTO "event" VALUES(35,1,'2026-11-25T20:23:29.618Z','StepFinished','{"step": "confirm", "seconds": 0.112}');
INSERT INTO "event" VALUES(36,2,'2026-11-25T20:23:29.630Z','CredentialsFound','{"key": "c0df0d99c352bd08b14183f101eb5e496e3cb132c2f28b92e2ec9abe4618b707", "dac_serial_number": "1E067F3BFECDD813", "key_storage": "flash"}');
INSERT INTO "event" VALUES(37,1,'2026-11-25T20:23:29.647Z','Passed','{}');
INSERT INTO "event" VALUES(38,2,'2026-11-25T20:23:29.694Z','Confirmed','{}');
INSERT INTO "event" VALUES(39,2,'2026-11-25T20:23:29.705Z','StepFinished','{"step": "confirm", "seconds": 0.108}');
INSERT INTO "event" VALUES(40,2,'2026-11-25T20:23:29.722Z','Passed','{}');
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
	state VARCHAR(16) NOT NULL, 
	CONSTRAINT ck_identity_ck_identity_state CHECK (state IN ('reserved', 'on_board', 'certified', 'confirmed', 'passed', 'burned', 'released')), 
	CONSTRAINT uq_identity_uid UNIQUE (uid), 
	CONSTRAINT uq_identity_serial_number UNIQUE (serial_number), 
	CONSTRAINT uq_identity_pairing_hash UNIQUE (pairing_hash), 
	CONSTRAINT uq_identity_lot_lot_index UNIQUE (lot, lot_index)
);
INSERT INTO "identity" VALUES(1,'d9656baf0951323737313530','ST-DEMONSTRATION',0,'STD00000001',3681,X'361EE26734783C309FBD52CA6FBA0BF5602DD8FF1E4260D01B6BAD0220CDDC89','20261125','2026-11-25T20:23:28.437Z','on_board');
INSERT INTO "identity" VALUES(2,'0bfc64e36e51333733353735','ST-DEMONSTRATION',1,'STD00000002',2931,X'F03FE1D2092F59A47E9E97A77711BB951B5F4AD022B4CF1BF325C6503017C550','20261125','2026-11-25T20:23:28.486Z','on_board');
CREATE TABLE onboarding_secret (
	identity_id INTEGER NOT NULL, 
	passcode INTEGER NOT NULL, 
	salt BLOB NOT NULL, 
	iterations INTEGER NOT NULL, 
	verifier BLOB NOT NULL, 
	rotating_device_id TEXT, 
	CONSTRAINT pk_onboarding_secret PRIMARY KEY (identity_id), 
	CONSTRAINT fk_onboarding_secret_identity_id FOREIGN KEY(identity_id) REFERENCES identity (id)
);
INSERT INTO "onboarding_secret" VALUES(1,3473955,X'5A387B60F3D73692EAD43E7F726E6A3EDD482EED3E2744A4E576FE1A7DE3F526',1000,X'68225AE481461D088561C72C5FA08E87255FDE03945632A9E07CE9822B7B24D204A189B0C17103211CB32932620A05C12DEA5877E946385CBA8C29193AE1FC4D6671BA7D1F240E0D28D353E5A891BE81ADFF8A68C873C067A0943D84E8FCBD1492','071ec4146e80dbc949101ce2e1e11a2b');
INSERT INTO "onboarding_secret" VALUES(2,77255744,X'71D5198678855CBD04CA77C160CD450947DE3493411A2DD159BEA1C03F35A23D',1000,X'2DC07F1C3B9611F749270FF82F9A600B35D783783EB4A5DDFB30D8D3E0215E2B0499F84845D0D989CF4F1DBD2F63FF234E1AB1F8B9CB7AB642F955055073BAEA8C3E86979BB577FC3A74075B755AA256D22C2023FEF491BEF989105C2720C4B128','bc4659109a3702de484bb7478e4991f5');
CREATE TABLE pki_request (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	"key" VARCHAR(64) NOT NULL, 
	uid VARCHAR(24) NOT NULL, 
	csr BLOB NOT NULL, 
	submitted_at VARCHAR(24) NOT NULL, 
	outcome VARCHAR(8), 
	reason TEXT, 
	answered_at VARCHAR(24), 
	CONSTRAINT ck_pki_request_ck_pki_request_outcome CHECK (outcome IN ('issued', 'rejected')), 
	CONSTRAINT ck_pki_request_ck_pki_request_answered CHECK ((outcome IS NULL) = (answered_at IS NULL))
);
CREATE INDEX ix_attempt_uid ON attempt (uid);
CREATE INDEX ix_event_attempt_id ON event (attempt_id);
CREATE INDEX ix_pki_request_key ON pki_request ("key");
CREATE INDEX ix_pki_request_uid ON pki_request (uid);
CREATE TRIGGER event_no_update BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'an event is never edited'); END;
CREATE TRIGGER event_no_delete BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'an event is never edited'); END;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('attempt',2);
INSERT INTO "sqlite_sequence" VALUES('event',40);
INSERT INTO "sqlite_sequence" VALUES('identity',2);
COMMIT;
