-- The simulated bank of test mode: a second party, which only happens to live in the same database. It knows our
-- objects by the ids that it was told and has no foreign key to our tables; nothing of ours reads its tables but its
-- own file in storage/, and it takes part in none of our transactions.
CREATE SCHEMA simulator;

-- An order that was closed before it came is a row without an outcome: whatever comes later under its id is refused.
CREATE TABLE simulator.orders (
    attempt_id   text COLLATE "C" PRIMARY KEY,
    reference    text COLLATE "C" UNIQUE,
    business_id  text COLLATE "C" NOT NULL DEFAULT '',
    payment_id   text COLLATE "C" NOT NULL DEFAULT '',
    type         text NOT NULL DEFAULT '',
    amount       bigint NOT NULL DEFAULT 0 CHECK (amount >= 0),
    currency     text NOT NULL DEFAULT '',
    return_url   text NOT NULL DEFAULT '',
    outcome      jsonb,
    -- What follows each answer of the customer, as long as the customer is asked.
    choices      jsonb NOT NULL DEFAULT '{}',
    decide_until timestamptz,
    -- What becomes of the order by itself, and when.
    later        jsonb,
    later_at     timestamptz,
    -- When the money is taken; it may lie ahead.
    taken_at     timestamptz,
    refunded     bigint NOT NULL DEFAULT 0,
    scenario     jsonb NOT NULL DEFAULT '{}',
    created_at   timestamptz NOT NULL,
    CONSTRAINT orders_closed CHECK ((outcome IS NULL) = (reference IS NULL)),
    CONSTRAINT orders_taken CHECK (
        (taken_at IS NOT NULL)
        = ('succeeded' IN (coalesce(outcome ->> 'type', ''), coalesce(later ->> 'type', '')))),
    CONSTRAINT orders_refunded CHECK (
        refunded >= 0 AND refunded <= CASE WHEN taken_at IS NULL THEN 0 ELSE amount END)
);
CREATE INDEX orders_created ON simulator.orders (created_at);

-- A refund whose request was lost on its way is a row without an outcome: the next request with its id is the first.
CREATE TABLE simulator.refunds (
    refund_id  text COLLATE "C" PRIMARY KEY,
    attempt_id text COLLATE "C" NOT NULL REFERENCES simulator.orders ON DELETE CASCADE,
    amount     bigint NOT NULL CHECK (amount > 0),
    outcome    jsonb,
    later      jsonb,
    later_at   timestamptz,
    given_at   timestamptz,
    created_at timestamptz NOT NULL
);
CREATE INDEX refunds_order ON simulator.refunds (attempt_id);

CREATE TABLE simulator.notices (
    notice_id   text COLLATE "C" PRIMARY KEY,
    attempt_id  text COLLATE "C" NOT NULL REFERENCES simulator.orders ON DELETE CASCADE,
    business_id text COLLATE "C" NOT NULL,
    subject     text NOT NULL CHECK (subject IN ('attempt', 'refund', 'dispute')),
    reference   text NOT NULL,
    due_at      timestamptz NOT NULL,
    copies      integer NOT NULL CHECK (copies IN (1, 2)),
    tries       integer NOT NULL DEFAULT 0,
    sent_at     timestamptz
);
CREATE INDEX notices_due ON simulator.notices (due_at) WHERE sent_at IS NULL;
CREATE INDEX notices_order ON simulator.notices (attempt_id);
