-- The time at which the test mode of a business lives (decision 0032). Live mode has no row and never gets one.
CREATE TABLE test_clocks (
    business_id    text COLLATE "C" PRIMARY KEY REFERENCES businesses,
    -- How far it is ahead of real time while it runs.
    ahead          interval NOT NULL DEFAULT '0' CHECK (ahead >= '0'),
    -- Where it stands while what was due is being done; null while it runs.
    stands_at      timestamptz,
    -- Where it is being moved to; null when nobody moves it.
    moving_to      timestamptz,
    -- The latest move: where it began, and after which event.
    began_at       timestamptz,
    began_after    bigint NOT NULL DEFAULT 0,
    -- Where the latest move has ended; null as long as it has not.
    ended_at       timestamptz,
    -- When it was moved last, in real time, and until when the books were complete then, in its own.
    moved_at       timestamptz NOT NULL,
    complete_until timestamptz,
    -- How often the test mode was emptied: only that takes the clock back.
    resets         integer NOT NULL DEFAULT 0,
    CONSTRAINT test_clocks_stand CHECK (stands_at IS NULL OR moving_to IS NOT NULL)
);
-- What is due next in the test mode of one business, without reading what is due in live mode.
CREATE INDEX subscriptions_due_in_test ON subscriptions (business_id, due_at)
    WHERE due_at IS NOT NULL AND mode = 'test';
CREATE INDEX payments_expiry_in_test ON payments (business_id, expires_on)
    WHERE status = 'requires_payment_method' AND mode = 'test';
CREATE INDEX notices_due_of_business ON simulator.notices (business_id, due_at) WHERE sent_at IS NULL;
-- Emptying a test mode is the one way in which entries of the books end: who does it names the business for the length
-- of the transaction. Live mode knows no exception.
CREATE FUNCTION refuse_rewriting_books() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.mode = 'test' AND OLD.business_id = current_setting('nicobar.emptied_test_mode', true) THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'rows of % are kept as they are', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
DROP TRIGGER ledger_entries_kept ON ledger_entries;
CREATE TRIGGER ledger_entries_kept BEFORE UPDATE OR DELETE ON ledger_entries
    FOR EACH ROW EXECUTE FUNCTION refuse_rewriting_books();
