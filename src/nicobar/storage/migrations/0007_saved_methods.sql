-- Saved cards, the proofs that let their owner see them, and what became of 3-D Secure.

-- A row is one card that a customer agreed to keep. Nothing here is a card number: `token` is the processor's own name
-- for the card. Deleting a saved method deletes its row, and with it the token; payments keep its id as plain text.
CREATE TABLE saved_methods (
    business_id       text COLLATE "C" NOT NULL,
    mode              text NOT NULL,
    payment_method_id text COLLATE "C" NOT NULL,
    customer_id       text COLLATE "C" NOT NULL,
    processor         text NOT NULL,
    token             text NOT NULL,
    fingerprint       text COLLATE "C" NOT NULL,
    card              jsonb NOT NULL,
    created_at        timestamptz NOT NULL,
    last_used_at      timestamptz NOT NULL,
    PRIMARY KEY (business_id, mode, payment_method_id),
    FOREIGN KEY (business_id, mode, customer_id) REFERENCES customers,
    -- A card that is saved again is the method that it was. The key also finds a customer's methods.
    CONSTRAINT saved_methods_card UNIQUE (business_id, mode, customer_id, processor, fingerprint)
);

-- The key that signs the proofs of a business's customers. It is kept as it is: a signature can only be checked with
-- the key itself. Whoever reads it can see saved cards as a payment page shows them, and nothing else of this server.
CREATE TABLE proof_keys (
    business_id text COLLATE "C" NOT NULL REFERENCES businesses,
    mode        text NOT NULL CHECK (mode IN ('test', 'live')),
    key         bytea NOT NULL CHECK (length(key) = 32),
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (business_id, mode)
);

ALTER TABLE payments ADD COLUMN payment_method_id text, ADD COLUMN three_ds jsonb;

ALTER TABLE attempts
    -- The customer agreed that the card is kept, should it pay.
    ADD COLUMN save_method boolean NOT NULL DEFAULT false,
    -- Bounds how often customers who come back make us ask the processor: every time moves it on (see storage/attempts).
    ADD COLUMN asked_until timestamptz;
