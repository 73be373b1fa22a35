-- Somebody may be a new customer although their e-mail address has one already: the session said so. The address's first
-- customer has an empty text here and is the one that others are matched with; any additional one has its own id, so
-- that one index keeps the first one unique, finds it, and lists them all.
ALTER TABLE customers
    ADD COLUMN additional_id text COLLATE "C" NOT NULL DEFAULT '',
    ADD CONSTRAINT customers_additional_id CHECK (additional_id IN ('', customer_id)),
    DROP CONSTRAINT customers_email,
    ADD CONSTRAINT customers_email UNIQUE (email_key, business_id, mode, additional_id);
