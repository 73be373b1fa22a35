-- Codes of real shops are longer than the random ones.
ALTER TABLE discounts DROP CONSTRAINT discounts_code_check,
    ADD CONSTRAINT discounts_code_check CHECK (code ~ '^[A-Z0-9!$%&*+.@_-]{3,64}$');
