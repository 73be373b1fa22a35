-- Disputes: customers who asked their bank for the money back. Processors open and move them; they are never deleted.

CREATE TABLE disputes (
    business_id text COLLATE "C" NOT NULL,
    mode        text NOT NULL,
    dispute_id  text COLLATE "C" NOT NULL,
    payment_id  text COLLATE "C" NOT NULL,
    attempt_id  text COLLATE "C" NOT NULL,
    processor   text COLLATE "C" NOT NULL,
    -- The processor's own id of the dispute.
    reference   text NOT NULL,
    -- Minor units. A bank may dispute more than was paid, because it counts in the cardholder's currency.
    amount      bigint NOT NULL CHECK (amount > 0),
    currency    text NOT NULL,
    stage       text NOT NULL CHECK (stage IN ('pre_dispute', 'dispute', 'pre_arbitration')),
    status      text NOT NULL CHECK (status IN (
        'dispute_opened', 'dispute_expired', 'dispute_accepted', 'dispute_cancelled', 'dispute_challenged',
        'dispute_won', 'dispute_lost')),
    -- Whether the processor holds the disputed money at present. The rule is that of core/dispute.py.
    money_out   boolean NOT NULL,
    reason      text,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    -- When the processor was asked for the state that is stored: an answer to an older question changes nothing.
    asked_at    timestamptz NOT NULL,
    PRIMARY KEY (business_id, mode, dispute_id),
    CONSTRAINT disputes_reference UNIQUE (business_id, mode, processor, reference),
    CONSTRAINT disputes_money CHECK (money_out = (
        status IN ('dispute_accepted', 'dispute_lost')
        OR (stage <> 'pre_dispute' AND status NOT IN ('dispute_cancelled', 'dispute_won')))),
    FOREIGN KEY (business_id, mode, payment_id) REFERENCES payments,
    FOREIGN KEY (business_id, mode, attempt_id) REFERENCES attempts
);
CREATE INDEX disputes_payment ON disputes (business_id, mode, payment_id, dispute_id);
