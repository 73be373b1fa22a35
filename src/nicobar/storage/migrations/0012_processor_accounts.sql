-- Accounts of businesses at payment processors, and the keys that come with them.

CREATE SEQUENCE processor_account_numbers;

CREATE TABLE processor_accounts (
    business_id     text COLLATE "C" NOT NULL REFERENCES businesses,
    mode            text NOT NULL CHECK (mode IN ('test', 'live')),
    processor       text COLLATE "C" NOT NULL,
    -- A new one with every change: a server that remembers another number knows that it has to read the row again.
    number          bigint NOT NULL UNIQUE DEFAULT nextval('processor_account_numbers'),
    -- What browsers get to see anyway.
    publishable_key text NOT NULL,
    -- Another address than the processor's own; for tests.
    api_base        text,
    -- The secret key and the secret of the notices, encrypted (vault.py). The key to it is not in this database.
    sealed          bytea NOT NULL CHECK (length(sealed) BETWEEN 38 AND 4096),
    changed_at      timestamptz NOT NULL,
    PRIMARY KEY (business_id, mode, processor)
);
