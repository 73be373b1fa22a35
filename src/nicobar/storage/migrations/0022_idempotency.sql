-- The answers of writing requests, for those who did not get them. A row is written in the commit that does what was
-- asked, so it is there exactly when that is done.

CREATE TABLE kept_answers (
    -- No foreign key: the row of a payment's creation is written on the hot path, beside rows that have one.
    business_id text        NOT NULL,
    mode        text        NOT NULL CHECK (mode IN ('test', 'live')),
    -- A hash of what the request is recognised by: method, path and idempotency key, or API key, path and body.
    request     bytea       NOT NULL CHECK (octet_length(request) = 32),
    -- Empty with an idempotency key, of which there can be one; otherwise an id that grows with time.
    answer_id   text        NOT NULL,
    -- A hash of query and body, where `request` does not contain them.
    content     bytea       CHECK (octet_length(content) = 32),
    object_id   text,
    -- Null until the answer is known.
    status      smallint,
    sealed      bytea,
    -- The counts of retries that have got this answer.
    given       smallint[]  NOT NULL,
    expires_at  timestamptz NOT NULL,
    PRIMARY KEY (business_id, mode, request, answer_id),
    CONSTRAINT kept_answers_key CHECK ((content IS NOT NULL) = (answer_id = '')),
    CONSTRAINT kept_answers_answer CHECK ((status IS NULL) = (sealed IS NULL))
);

CREATE INDEX kept_answers_by_end ON kept_answers (expires_at);
