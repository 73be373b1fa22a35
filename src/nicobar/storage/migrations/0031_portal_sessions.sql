-- Sessions of the customer portal. Of the secret that opens one only a hash is kept.
CREATE TABLE portal_sessions (
    business_id text        COLLATE "C" NOT NULL REFERENCES businesses,
    mode        text        NOT NULL CHECK (mode IN ('test', 'live')),
    -- Not secret: it is in the address of every page of the portal.
    session_id  text        COLLATE "C" NOT NULL UNIQUE,
    customer_id text        COLLATE "C" NOT NULL,
    secret_hash bytea       NOT NULL CHECK (length(secret_hash) = 32),
    return_url  text,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL CHECK (expires_at > created_at),
    PRIMARY KEY (business_id, mode, session_id),
    FOREIGN KEY (business_id, mode, customer_id) REFERENCES customers
);

CREATE INDEX portal_sessions_customer ON portal_sessions (business_id, mode, customer_id);
CREATE INDEX portal_sessions_ended ON portal_sessions (expires_at);
