-- Keys may be limited to classes of operations (null: everything) and to a time.
ALTER TABLE api_keys
    ADD COLUMN scopes     text[] CHECK (scopes IS NULL OR (NOT read_only AND cardinality(scopes) > 0)),
    ADD COLUMN expires_at timestamptz;

-- Who changed what. Only names of fields, never their values. The seal is an HMAC under a key that is not in here.
CREATE TABLE audit_log (
    entry_id    text COLLATE "C" PRIMARY KEY,
    -- Null for what belongs to the whole installation, such as exchange rates.
    business_id text COLLATE "C",
    mode        text CHECK (mode IN ('test', 'live')),
    at          timestamptz NOT NULL,
    actor       text NOT NULL CHECK (actor IN ('key', 'command', 'page', 'program')),
    actor_name  text,
    address     text,
    action      text NOT NULL,
    object_ids  text[] NOT NULL,
    fields      text[] NOT NULL,
    seal        bytea
);

-- The chain: each tag is an HMAC over the tag before it and the entry, so no entry can be taken out unnoticed. It is made
-- by the sweep, because entries that had to know the one before them would make commits wait for one another.
CREATE TABLE audit_links (
    number   bigint PRIMARY KEY CHECK (number > 0),
    entry_id text COLLATE "C" NOT NULL UNIQUE,
    tag      bytea NOT NULL
);

-- The entries that the sweep has still to link.
CREATE TABLE audit_unlinked (
    entry_id text COLLATE "C" PRIMARY KEY
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are only added', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE TRIGGER audit_log_rows BEFORE UPDATE OR DELETE ON audit_log FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_log_whole BEFORE TRUNCATE ON audit_log EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_links_rows BEFORE UPDATE OR DELETE ON audit_links FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_links_whole BEFORE TRUNCATE ON audit_links EXECUTE FUNCTION refuse_change();

-- What the processes have taken of the requests that somebody may make in a second and in a minute. A crash may empty it.
CREATE UNLOGGED TABLE request_shares (
    -- An API key and a class of operations.
    subject   text COLLATE "C" NOT NULL,
    seconds   integer NOT NULL,
    starts_at timestamptz NOT NULL,
    taken     bigint NOT NULL,
    PRIMARY KEY (subject, seconds)
);
