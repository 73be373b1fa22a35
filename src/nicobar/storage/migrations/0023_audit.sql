-- Keys may be limited to classes of operations (null: everything) and to a time.
ALTER TABLE api_keys
    ADD COLUMN scopes     text[] CHECK (scopes IS NULL OR (NOT read_only AND cardinality(scopes) > 0)),
    ADD COLUMN expires_at timestamptz;
