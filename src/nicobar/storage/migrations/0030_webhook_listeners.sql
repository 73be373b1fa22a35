-- The secret that a business's test events are signed with where no endpoint is: `nicobar listen`. It stays the same
-- from one start to the next, so that it is written into a receiver's configuration once. It is encrypted (vault.py).
CREATE TABLE webhook_listeners (
    business_id text COLLATE "C" PRIMARY KEY REFERENCES businesses,
    secret      bytea NOT NULL CHECK (length(secret) BETWEEN 38 AND 4096),
    created_at  timestamptz NOT NULL
);
