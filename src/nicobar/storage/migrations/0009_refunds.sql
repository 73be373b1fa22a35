-- Refunds, and what of a payment and of its lines they take. A pending refund holds its amount from the moment it is
-- asked for, so that no two refunds can be promised the same money; a failed one gives it free again. The columns and
-- the refund's rows are written by one statement (storage/refunds.py).

ALTER TABLE payments
    -- What refunds take, pending ones included.
    ADD COLUMN refunded_amount            bigint NOT NULL DEFAULT 0,
    ADD COLUMN refunded_settlement_amount bigint NOT NULL DEFAULT 0,
    -- What succeeded refunds have given back of it.
    ADD COLUMN returned_amount            bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT payments_refunded CHECK (
        returned_amount BETWEEN 0 AND refunded_amount AND refunded_amount <= total_amount
        AND (refunded_amount = 0 OR status = 'succeeded')),
    ADD CONSTRAINT payments_refunded_settlement CHECK (
        refunded_settlement_amount BETWEEN 0 AND settlement_amount);

ALTER TABLE payment_lines
    ADD COLUMN refunded_amount            bigint NOT NULL DEFAULT 0,
    ADD COLUMN refunded_tax               bigint NOT NULL DEFAULT 0,
    ADD COLUMN refunded_settlement_amount bigint NOT NULL DEFAULT 0,
    ADD COLUMN refunded_settlement_tax    bigint NOT NULL DEFAULT 0,
    -- Neither the tax nor what is left without it may pass what the line has of it.
    ADD CONSTRAINT payment_lines_refunded CHECK (
        refunded_tax BETWEEN 0 AND tax AND refunded_amount - refunded_tax BETWEEN 0 AND total - tax),
    ADD CONSTRAINT payment_lines_refunded_settlement CHECK (
        refunded_settlement_tax BETWEEN 0 AND refunded_settlement_amount);

CREATE TABLE refunds (
    business_id         text COLLATE "C" NOT NULL,
    mode                text NOT NULL,
    refund_id           text COLLATE "C" NOT NULL,
    payment_id          text COLLATE "C" NOT NULL,
    -- Whose charge is given back; the processor is the attempt's.
    attempt_id          text COLLATE "C" NOT NULL,
    status              text NOT NULL CHECK (status IN ('pending', 'succeeded', 'failed')),
    -- In the currency that was paid, with tax.
    amount              bigint NOT NULL CHECK (amount > 0),
    tax                 bigint NOT NULL CHECK (tax BETWEEN 0 AND amount),
    currency            text NOT NULL,
    settlement_amount   bigint NOT NULL,
    settlement_tax      bigint NOT NULL CHECK (settlement_tax BETWEEN 0 AND settlement_amount),
    settlement_currency text NOT NULL,
    is_partial          boolean NOT NULL,
    reason              text CHECK (length(reason) <= 3000),
    metadata            json NOT NULL,
    -- The last word of the processor; null while its first answer is awaited.
    outcome             jsonb,
    network_reference            text,
    network_reference_type       text,
    network_reference_updated_at timestamptz,
    created_at          timestamptz NOT NULL,
    -- The last sign of life: an answer, or that somebody is asking.
    updated_at          timestamptz NOT NULL,
    resolved_at         timestamptz,
    PRIMARY KEY (business_id, mode, refund_id),
    FOREIGN KEY (business_id, mode, payment_id) REFERENCES payments,
    FOREIGN KEY (business_id, mode, attempt_id) REFERENCES attempts,
    CONSTRAINT refunds_end CHECK ((status = 'pending') = (resolved_at IS NULL)),
    CONSTRAINT refunds_reference CHECK (
        (network_reference IS NULL) = (network_reference_updated_at IS NULL)
        AND (network_reference IS NOT NULL OR network_reference_type IS NULL))
);
-- One refund of a payment at a time: the database's own guard.
CREATE UNIQUE INDEX refunds_one_pending ON refunds (business_id, mode, payment_id) WHERE status = 'pending';
CREATE INDEX refunds_payment ON refunds (business_id, mode, payment_id, refund_id);
-- The sweep reads only refunds that have not ended.
CREATE INDEX refunds_silent ON refunds (updated_at) WHERE status = 'pending';

CREATE TABLE refund_lines (
    business_id       text COLLATE "C" NOT NULL,
    mode              text NOT NULL,
    refund_id         text COLLATE "C" NOT NULL,
    position          smallint NOT NULL,
    payment_id        text COLLATE "C" NOT NULL,
    amount            bigint NOT NULL CHECK (amount > 0),
    tax               bigint NOT NULL CHECK (tax BETWEEN 0 AND amount),
    settlement_amount bigint NOT NULL,
    settlement_tax    bigint NOT NULL CHECK (settlement_tax BETWEEN 0 AND settlement_amount),
    PRIMARY KEY (business_id, mode, refund_id, position),
    FOREIGN KEY (business_id, mode, refund_id) REFERENCES refunds,
    FOREIGN KEY (business_id, mode, payment_id, position) REFERENCES payment_lines
);

-- A refund asks which attempt paid.
CREATE INDEX attempts_payment ON attempts (business_id, mode, payment_id, attempt_id);
