-- Keys have a name for their owner, and tell when they were last used, to the minute.
ALTER TABLE api_keys
    ADD COLUMN name         text NOT NULL DEFAULT '' CHECK (length(name) <= 100),
    ADD COLUMN last_used_at timestamptz;

-- The shop's name became a setting, of which the name of the primary brand is a copy. One that is not the default
-- becomes a change of the setting, so that the setting says what customers see.
INSERT INTO setting_changes (business_id, mode, name, number, old_value, new_value, changed_at)
SELECT business_id, mode, 'business_name', 1, 'My business', name, created_at
FROM brands
WHERE brand_id = business_id AND name <> 'My business';
