-- Which account of a processor an attempt, a saved method and a notice are of. An empty name is that of a processor which
-- has one account for all, as the simulator has, and of whatever was there before this migration: it belongs to the
-- account that is set now, which keeps this name. Where none is set now, nobody knows whose it is.
ALTER TABLE attempts ADD COLUMN account text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE notices ADD COLUMN account text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE saved_methods
    ADD COLUMN account text COLLATE "C" NOT NULL DEFAULT '',
    DROP CONSTRAINT saved_methods_card,
    ADD CONSTRAINT saved_methods_card UNIQUE (business_id, mode, customer_id, processor, account, fingerprint);

-- An account that was replaced stays, because only it can be asked about what it has charged. One that was removed stays
-- without its keys, so that it is the same one when it is set again.
ALTER TABLE processor_accounts
    -- What attempts and the others call it, for ever: tied to the secrets as the place that they are sealed for.
    ADD COLUMN account text COLLATE "C" NOT NULL DEFAULT '' CHECK (length(account) <= 255),
    -- The processor's own id of it; null while that is not known.
    ADD COLUMN account_id text COLLATE "C" CHECK (length(account_id) <= 255),
    ADD COLUMN retired_at timestamptz,
    ALTER COLUMN sealed DROP NOT NULL,
    ADD CONSTRAINT processor_accounts_keys CHECK (sealed IS NOT NULL OR retired_at IS NOT NULL),
    DROP CONSTRAINT processor_accounts_pkey,
    ADD PRIMARY KEY (business_id, mode, processor, account);
ALTER TABLE processor_accounts ALTER COLUMN account DROP DEFAULT;
-- New payments go to one account.
CREATE UNIQUE INDEX processor_accounts_current ON processor_accounts (business_id, mode, processor)
    WHERE retired_at IS NULL;
