-- What a merchant decides: settings, the tax table, exchange rates. Nothing here is ever changed or deleted: a decision
-- is a new row, and the newest row holds, so that it can always be told what was in force when a payment was made.

CREATE FUNCTION refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are kept as they are', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

CREATE TABLE setting_changes (
    business_id text COLLATE "C" NOT NULL REFERENCES businesses,
    mode        text NOT NULL CHECK (mode IN ('test', 'live')),
    name        text COLLATE "C" NOT NULL,
    -- Counts the changes of this setting from 1.
    number      integer NOT NULL CHECK (number > 0),
    old_value   text NOT NULL,
    new_value   text NOT NULL,
    changed_at  timestamptz NOT NULL,
    PRIMARY KEY (business_id, mode, name, number),
    CONSTRAINT setting_changes_change CHECK (old_value <> new_value)
);
CREATE TRIGGER setting_changes_kept BEFORE UPDATE OR DELETE ON setting_changes
    FOR EACH ROW EXECUTE FUNCTION refuse_rewriting();

CREATE TABLE tax_tables (
    business_id text COLLATE "C" NOT NULL REFERENCES businesses,
    mode        text NOT NULL CHECK (mode IN ('test', 'live')),
    number      integer NOT NULL CHECK (number > 0),
    -- The whole table, which is read and replaced only as a whole. Null is the table that is shipped with the program.
    sheet       jsonb CHECK (jsonb_array_length(sheet -> 'rows') > 0),
    -- Where the table comes from, such as the name of a file.
    origin      text NOT NULL,
    imported_at timestamptz NOT NULL,
    PRIMARY KEY (business_id, mode, number)
);
CREATE TRIGGER tax_tables_kept BEFORE UPDATE OR DELETE ON tax_tables
    FOR EACH ROW EXECUTE FUNCTION refuse_rewriting();

-- Market rates are facts about the world and not of one business: whoever refreshes them does so for the installation.
CREATE TABLE rate_snapshots (
    number    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Every rate that feeds have brought so far, by currency; a currency that is missing has the rate that is shipped.
    quotes    jsonb NOT NULL CHECK (jsonb_typeof(quotes) = 'object'),
    -- The feed that brought the newest of them.
    origin    text NOT NULL,
    stored_at timestamptz NOT NULL
);
CREATE TRIGGER rate_snapshots_kept BEFORE UPDATE OR DELETE ON rate_snapshots
    FOR EACH ROW EXECUTE FUNCTION refuse_rewriting();
