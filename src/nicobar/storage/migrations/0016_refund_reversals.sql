-- Refunds that come back: the customer's bank does not take the money, days after the processor called the refund
-- successful.

ALTER TABLE refunds
    -- When the processor was asked for the word that is stored: of a refund that has ended, an older answer changes
    -- nothing. Null until the first answer.
    ADD COLUMN asked_at timestamptz;

-- Money comes in with payments, with refunds that come back and with disputes that end well, and goes out otherwise.
ALTER TABLE ledger_entries
    DROP CONSTRAINT ledger_entries_kind,
    ADD CONSTRAINT ledger_entries_kind CHECK (
        CASE kind
            WHEN 'payment' THEN processor_receivable > 0 AND reference = payment_id AND turn = 0
            WHEN 'refund' THEN processor_receivable < 0 AND reference <> payment_id AND turn = 0
            WHEN 'refund_reversal' THEN processor_receivable > 0 AND reference <> payment_id AND turn = 0
            WHEN 'dispute' THEN processor_receivable < 0
            WHEN 'dispute_reversal' THEN processor_receivable > 0
            ELSE false
        END);

-- The simulated bank's own books.
ALTER TABLE simulator.refunds
    -- When the money comes back; it may lie ahead.
    ADD COLUMN returned_at timestamptz,
    -- Whether the order has it again, which the next refund of the order sees to.
    ADD COLUMN is_back     boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT refunds_returned CHECK (
        CASE WHEN returned_at IS NULL THEN NOT is_back ELSE given_at IS NOT NULL AND returned_at >= given_at END);
