-- Keys that sign the proofs of customers are encrypted, as the secrets of processors are. The proofs that the old keys
-- have signed were valid for 15 minutes; the next one makes a new key.

DELETE FROM proof_keys;
ALTER TABLE proof_keys DROP COLUMN key, ADD COLUMN sealed bytea NOT NULL;
