-- The books. A row is one entry with all its postings, one column an account, so that "it balances" is a comparison
-- of the row's own numbers, which PostgreSQL makes in microseconds. Debits are positive, credits negative, in minor units.

CREATE TABLE ledger_entries (
    business_id          text COLLATE "C" NOT NULL,
    mode                 text NOT NULL,
    entry_id             text COLLATE "C" NOT NULL,
    kind                 text NOT NULL,
    payment_id           text COLLATE "C" NOT NULL,
    -- The payment, refund or dispute that moved the money.
    reference            text COLLATE "C" NOT NULL,
    -- How often money of this kind moved for the reference before: appeals turn disputes round.
    turn                 smallint NOT NULL,
    -- In the currency of the charge.
    currency             text NOT NULL,
    processor_receivable bigint NOT NULL,
    -- The same in the currency of the settlement. Where the two currencies differ, conversion_clearing stands between:
    -- it takes in the one number and gives out the other, so it needs no column.
    settlement_currency  text NOT NULL,
    gross                bigint NOT NULL,
    merchant_payable     bigint NOT NULL,
    tax_payable          bigint NOT NULL,
    fee_income           bigint NOT NULL,
    created_at           timestamptz NOT NULL,
    PRIMARY KEY (business_id, mode, entry_id),
    FOREIGN KEY (business_id, mode, payment_id) REFERENCES payments,
    -- In each currency the postings sum to zero.
    CONSTRAINT ledger_entries_balance CHECK (
        gross + merchant_payable + tax_payable + fee_income = 0
        AND (gross = processor_receivable OR currency <> settlement_currency)),
    -- Money comes in with payments and with disputes that end well, and goes out otherwise.
    CONSTRAINT ledger_entries_kind CHECK (
        CASE kind
            WHEN 'payment' THEN processor_receivable > 0 AND reference = payment_id AND turn = 0
            WHEN 'refund' THEN processor_receivable < 0 AND reference <> payment_id AND turn = 0
            WHEN 'dispute' THEN processor_receivable < 0
            WHEN 'dispute_reversal' THEN processor_receivable > 0
            ELSE false
        END)
);
-- Nothing is booked twice.
CREATE UNIQUE INDEX ledger_entries_once ON ledger_entries (business_id, mode, reference, kind, turn);
-- The balance of the seller's account up to an entry is a sum over a range of this index alone.
CREATE INDEX ledger_entries_merchant ON ledger_entries (business_id, mode, settlement_currency, entry_id)
    INCLUDE (merchant_payable);
-- Refunds and disputes are few: they are found without reading all payments, and payments do not pay for it.
CREATE INDEX ledger_entries_kind ON ledger_entries (business_id, mode, kind, entry_id) WHERE kind <> 'payment';
CREATE INDEX ledger_entries_of_payment ON ledger_entries (business_id, mode, payment_id) WHERE kind <> 'payment';

-- Payments that succeeded before there were books. A converted one is worth its total at the mid rate that it was
-- priced with, rounded half-up; what that has beyond the settlement is fee. The rule is that of core/ledger.py.
INSERT INTO ledger_entries
SELECT business_id, mode, 'led_' || substr(payment_id, 5), 'payment', payment_id, payment_id, 0,
    currency, total_amount, settlement_currency, gross,
    settlement_tax - settlement_amount, -settlement_tax, settlement_amount - gross, coalesce(updated_at, created_at)
FROM (
    SELECT p.*,
        CASE WHEN currency = settlement_currency THEN total_amount
            ELSE div(2 * total_amount * rate.denominator + rate.numerator, 2 * rate.numerator)::bigint
        END AS gross
    FROM payments p CROSS JOIN LATERAL (
        SELECT (pricing #>> '{charge,settlement,numerator}')::numeric AS numerator,
               (pricing #>> '{charge,settlement,denominator}')::numeric AS denominator) AS rate
    WHERE status = 'succeeded' AND total_amount > 0) AS paid;

-- What is written stays. A mistake is mended by another entry.
CREATE TRIGGER ledger_entries_kept BEFORE UPDATE OR DELETE ON ledger_entries
    FOR EACH ROW EXECUTE FUNCTION refuse_rewriting();
CREATE TRIGGER ledger_entries_not_emptied BEFORE TRUNCATE ON ledger_entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();

-- What the seller's account stood at after every thousandth entry or so, so that the balance at any entry is a short
-- sum. Made by whoever reads the account; it is computed from the entries, and may be deleted at any time.
CREATE TABLE ledger_marks (
    business_id text COLLATE "C" NOT NULL,
    mode        text NOT NULL,
    currency    text NOT NULL,
    entry_id    text COLLATE "C" NOT NULL,
    -- Minor units; positive is what the seller is owed.
    balance     bigint NOT NULL,
    PRIMARY KEY (business_id, mode, currency, entry_id),
    FOREIGN KEY (business_id, mode, entry_id) REFERENCES ledger_entries
);

-- The account is shown in dollars too, at the rates that were in force when an entry was written.
CREATE INDEX rate_snapshots_stored_at ON rate_snapshots (stored_at, number);

-- For people; docs/ledger.md shows how to ask them. Amounts are minor units.

CREATE VIEW ledger_postings AS
SELECT e.business_id, e.mode, e.entry_id, e.created_at, e.kind, e.payment_id, e.reference, posting.account,
    posting.currency, greatest(posting.amount, 0) AS debit, greatest(-posting.amount, 0) AS credit
FROM ledger_entries e CROSS JOIN LATERAL (VALUES
    ('processor_receivable', e.currency, e.processor_receivable),
    ('conversion_clearing', e.currency, CASE WHEN e.currency <> e.settlement_currency THEN -e.processor_receivable END),
    ('conversion_clearing', e.settlement_currency, CASE WHEN e.currency <> e.settlement_currency THEN e.gross END),
    ('merchant_payable', e.settlement_currency, e.merchant_payable),
    ('tax_payable', e.settlement_currency, e.tax_payable),
    ('fee_income', e.settlement_currency, e.fee_income)) AS posting (account, currency, amount)
WHERE posting.amount <> 0;

-- A balance stands on the side that its account normally has: what processors owe us, and what we owe or earned.
CREATE VIEW ledger_balances AS
SELECT business_id, mode, account, currency, sum(debit)::bigint AS debits, sum(credit)::bigint AS credits,
    (CASE WHEN account IN ('merchant_payable', 'tax_payable', 'fee_income') THEN -1 ELSE 1 END
        * sum(debit - credit))::bigint AS balance
FROM ledger_postings GROUP BY business_id, mode, account, currency;

-- Days are those of UTC. Refunds and disputes count below zero.
CREATE VIEW ledger_by_day AS
SELECT business_id, mode, (created_at AT TIME ZONE 'UTC')::date AS day, kind, settlement_currency AS currency,
    count(*) AS entries, (-sum(merchant_payable))::bigint AS earnings, (-sum(tax_payable))::bigint AS tax,
    (-sum(fee_income))::bigint AS fees
FROM ledger_entries GROUP BY business_id, mode, day, kind, settlement_currency;
