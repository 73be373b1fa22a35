-- Webhooks: the endpoints of merchants, what each of them is to be sent, and every try of it.

-- Events of one millisecond have ids in random order: their numbers say which came first. The numbers of one object's
-- events rise in the order of its changes, because each is written under the object's lock.
CREATE SEQUENCE event_numbers;
ALTER TABLE events ADD COLUMN number bigint;
UPDATE events e SET number = o.number FROM (
    SELECT business_id, mode, event_id, nextval('event_numbers') AS number
    FROM (SELECT business_id, mode, event_id FROM events ORDER BY created_at, event_id) AS sorted
) o WHERE (e.business_id, e.mode, e.event_id) = (o.business_id, o.mode, o.event_id);
ALTER TABLE events
    ALTER COLUMN number SET NOT NULL,
    ALTER COLUMN number SET DEFAULT nextval('event_numbers');
ALTER SEQUENCE event_numbers OWNED BY events.number;
DROP INDEX events_object;
CREATE INDEX events_object ON events (business_id, mode, object_id, number);
CREATE UNIQUE INDEX events_number ON events (business_id, mode, number);
CREATE INDEX events_type ON events (business_id, mode, type, number);

CREATE TABLE webhook_endpoints (
    business_id     text COLLATE "C" NOT NULL REFERENCES businesses,
    mode            text NOT NULL CHECK (mode IN ('test', 'live')),
    endpoint_id     text COLLATE "C" NOT NULL,
    url             text NOT NULL,
    description     text NOT NULL,
    metadata        jsonb NOT NULL,
    -- Null: events of every type; empty: none.
    filter_types    text[],
    -- Deliveries a second; null and 0: as many as there are.
    rate_limit      integer CHECK (rate_limit >= 0),
    disabled        boolean NOT NULL,
    -- When the server itself disabled it, because nothing had arrived for days.
    given_up_at     timestamptz,
    -- The secret that signs, the one before it until `previous_ends_at`, and the headers of the merchant, which often
    -- hold a password: encrypted (vault.py). All are forgotten with the endpoint.
    secret          bytea CHECK (length(secret) BETWEEN 38 AND 4096),
    previous_secret bytea CHECK (length(previous_secret) BETWEEN 38 AND 4096),
    previous_ends_at timestamptz,
    headers         bytea CHECK (length(headers) BETWEEN 38 AND 300000),
    idempotency_key text,
    -- Since when nothing has arrived; null after a success.
    failing_since   timestamptz,
    -- How many deliveries were taken in which second, for the rate limit.
    second          timestamptz,
    second_count    integer NOT NULL DEFAULT 0,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    -- A deleted one stays for the log of what it was sent.
    deleted_at      timestamptz,
    PRIMARY KEY (business_id, mode, endpoint_id),
    CHECK ((deleted_at IS NULL) = (secret IS NOT NULL)),
    CHECK ((previous_secret IS NULL) = (previous_ends_at IS NULL)),
    CHECK (given_up_at IS NULL OR disabled)
);
CREATE INDEX webhook_endpoints_key ON webhook_endpoints (business_id, mode, idempotency_key)
    WHERE idempotency_key IS NOT NULL;

-- One row for each event and endpoint that wants it, written in the commit of the event. The row is the job.
CREATE TABLE webhook_deliveries (
    business_id text COLLATE "C" NOT NULL,
    mode        text NOT NULL,
    event_id    text COLLATE "C" NOT NULL,
    endpoint_id text COLLATE "C" NOT NULL,
    -- The `webhook-id`: the same for every try and every replay.
    message_id  text COLLATE "C" NOT NULL,
    -- `stopped`: its endpoint was disabled or deleted before it arrived.
    state       text NOT NULL CHECK (state IN ('waiting', 'delivered', 'failed', 'stopped')),
    -- How many tries were made since it was scheduled, by the event or by a replay: the place on the ladder.
    step        integer NOT NULL DEFAULT 0,
    -- How many tries were made at all: the number of the last one.
    attempts    integer NOT NULL DEFAULT 0,
    due_at      timestamptz,
    tries       integer NOT NULL DEFAULT 0,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (business_id, mode, event_id, endpoint_id),
    UNIQUE (business_id, mode, message_id),
    FOREIGN KEY (business_id, mode, event_id) REFERENCES events,
    FOREIGN KEY (business_id, mode, endpoint_id) REFERENCES webhook_endpoints,
    CONSTRAINT webhook_deliveries_due CHECK ((due_at IS NOT NULL) = (state = 'waiting'))
);
CREATE INDEX webhook_deliveries_by_due ON webhook_deliveries (business_id, mode, endpoint_id, due_at)
    WHERE due_at IS NOT NULL;
CREATE INDEX webhook_deliveries_by_age ON webhook_deliveries (business_id, mode, created_at);
CREATE INDEX webhook_deliveries_by_endpoint ON webhook_deliveries (business_id, mode, endpoint_id);

CREATE TABLE webhook_attempts (
    business_id   text COLLATE "C" NOT NULL,
    mode          text NOT NULL,
    event_id      text COLLATE "C" NOT NULL,
    endpoint_id   text COLLATE "C" NOT NULL,
    number        integer NOT NULL CHECK (number > 0),
    attempted_at  timestamptz NOT NULL,
    duration_ms   integer NOT NULL CHECK (duration_ms >= 0),
    -- Null when no answer came.
    status        integer,
    -- The beginning of what the receiver answered.
    answer        text CHECK (octet_length(answer) <= 4096),
    -- Why it counts as failed, in words; null for a success.
    reason        text,
    -- When it is tried again; null when it is not.
    next_at       timestamptz,
    PRIMARY KEY (business_id, mode, event_id, endpoint_id, number),
    FOREIGN KEY (business_id, mode, event_id, endpoint_id) REFERENCES webhook_deliveries ON DELETE CASCADE
);

-- The key of the lock between those who write events and those who change endpoints of one tenant.
CREATE FUNCTION webhook_lock(business text, mode text) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT hashtextextended('webhooks/' || business || '/' || mode, 0)
$$;

-- The id of a message is made of what it identifies, so a replay finds the same one even when the log has forgotten it.
CREATE FUNCTION webhook_message_id(event text, endpoint text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT 'msg_' || left(translate(encode(sha256(convert_to(event || '/' || endpoint, 'UTF8')), 'base64'), '+/', '-_'), 27)
$$;

-- Schedules an event for every endpoint that wants it, and returns for how many. Called in the statement that writes
-- the event, so it costs no round trip. The lock is shared among writers and held until their commit; who creates or
-- changes an endpoint takes it alone. So whoever commits an event after an endpoint's commit has taken the lock after
-- it, too, and the query below, which in a volatile function sees what was committed until now, finds the endpoint.
CREATE FUNCTION schedule_webhooks(business text, event_mode text, event text, event_type text, at timestamptz)
RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    scheduled bigint;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(webhook_lock(business, event_mode));
    INSERT INTO webhook_deliveries
        (business_id, mode, event_id, endpoint_id, message_id, state, due_at, created_at, updated_at)
    SELECT business, event_mode, event, e.endpoint_id, webhook_message_id(event, e.endpoint_id), 'waiting', at, at, at
    FROM webhook_endpoints e
    WHERE e.business_id = business AND e.mode = event_mode AND e.deleted_at IS NULL AND NOT e.disabled
      AND (e.filter_types IS NULL OR event_type = ANY (e.filter_types));
    GET DIAGNOSTICS scheduled = ROW_COUNT;
    RETURN scheduled;
END $$;
