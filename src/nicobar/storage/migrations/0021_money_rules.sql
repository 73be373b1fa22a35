-- Codes of real shops are longer than the random ones.
ALTER TABLE discounts DROP CONSTRAINT discounts_code_check,
    ADD CONSTRAINT discounts_code_check CHECK (code ~ '^[A-Z0-9!$%&*+.@_-]{3,64}$');

-- What was given back although nothing was left of a payment, by a refund and a dispute for example: the seller's loss.
-- Entries from before have none. They stay as they are; where they gave back more than was booked, doctor names them.
ALTER TABLE ledger_entries ADD COLUMN reversal_loss bigint NOT NULL DEFAULT 0,
    DROP CONSTRAINT ledger_entries_balance,
    ADD CONSTRAINT ledger_entries_balance CHECK (
        gross + merchant_payable + tax_payable + fee_income + reversal_loss = 0
        AND (gross = processor_receivable OR currency <> settlement_currency)),
    ADD CONSTRAINT ledger_entries_loss CHECK (reversal_loss = 0 OR kind <> 'payment');

CREATE OR REPLACE VIEW ledger_postings AS
SELECT e.business_id, e.mode, e.entry_id, e.created_at, e.kind, e.payment_id, e.reference, posting.account,
    posting.currency, greatest(posting.amount, 0) AS debit, greatest(-posting.amount, 0) AS credit
FROM ledger_entries e CROSS JOIN LATERAL (VALUES
    ('processor_receivable', e.currency, e.processor_receivable),
    ('conversion_clearing', e.currency, CASE WHEN e.currency <> e.settlement_currency THEN -e.processor_receivable END),
    ('conversion_clearing', e.settlement_currency, CASE WHEN e.currency <> e.settlement_currency THEN e.gross END),
    ('merchant_payable', e.settlement_currency, e.merchant_payable),
    ('tax_payable', e.settlement_currency, e.tax_payable),
    ('fee_income', e.settlement_currency, e.fee_income),
    ('reversal_loss', e.settlement_currency, e.reversal_loss)) AS posting (account, currency, amount)
WHERE posting.amount <> 0;

CREATE OR REPLACE VIEW ledger_by_day AS
SELECT business_id, mode, (created_at AT TIME ZONE 'UTC')::date AS day, kind, settlement_currency AS currency,
    count(*) AS entries, (-sum(merchant_payable))::bigint AS earnings, (-sum(tax_payable))::bigint AS tax,
    (-sum(fee_income))::bigint AS fees, sum(reversal_loss)::bigint AS losses
FROM ledger_entries GROUP BY business_id, mode, day, kind, settlement_currency;

-- What a customer's open payments hold.
CREATE INDEX discount_redemptions_open ON discount_redemptions (business_id, mode, customer_id)
    WHERE state = 'reserved';
