-- Checkout sessions: what a merchant asks to be sold. A session has no state of its own: it follows from its payment
-- and its deadline.

CREATE TABLE checkout_sessions (
    business_id text        COLLATE "C" NOT NULL REFERENCES businesses,
    mode        text        NOT NULL CHECK (mode IN ('test', 'live')),
    -- Random throughout: it is the key of the session's page.
    session_id  text        COLLATE "C" NOT NULL UNIQUE CHECK (length(session_id) = 25),
    -- What was asked for, as it was asked for.
    request     json        NOT NULL,
    -- Whom it names, to be found by when a person is erased.
    customer_id text        COLLATE "C",
    email_key   text        COLLATE "C",
    -- Null until its buyer has told what the payment needs.
    payment_id  text        COLLATE "C",
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL CHECK (expires_at > created_at),
    PRIMARY KEY (business_id, mode, session_id),
    FOREIGN KEY (business_id, mode, payment_id) REFERENCES payments
);

CREATE UNIQUE INDEX checkout_sessions_payment ON checkout_sessions (business_id, mode, payment_id)
    WHERE payment_id IS NOT NULL;
CREATE INDEX checkout_sessions_customer ON checkout_sessions (business_id, mode, customer_id)
    WHERE customer_id IS NOT NULL;
CREATE INDEX checkout_sessions_email ON checkout_sessions (business_id, mode, email_key) WHERE email_key IS NOT NULL;
CREATE INDEX checkout_sessions_created ON checkout_sessions (business_id, mode, created_at);
CREATE INDEX checkout_sessions_unpaid ON checkout_sessions (expires_at) WHERE payment_id IS NULL;
