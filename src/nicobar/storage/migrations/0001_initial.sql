-- Everything that the first version stores. Every table of a tenant starts its key with (business_id, mode), so that
-- one tenant's rows lie together and the schema can be distributed by tenant. Ids sort by the moment they were made
-- (COLLATE "C"), so "newest first" is the primary key read backwards. Amounts are bigint in minor units. Documents that
-- are only handed back are json: the text is kept as it came (jsonb would turn the number 1e30 into 31 digits), and it
-- is cheaper to write.

CREATE TABLE businesses (
    business_id text COLLATE "C" PRIMARY KEY,
    name        text NOT NULL CHECK (name <> ''),
    created_at  timestamptz NOT NULL
);

CREATE TABLE api_keys (
    key_id      text COLLATE "C" PRIMARY KEY,
    business_id text COLLATE "C" NOT NULL REFERENCES businesses,
    mode        text NOT NULL CHECK (mode IN ('test', 'live')),
    -- SHA-256 of the whole key. The key has 190 random bits, so a slow password hash would add nothing.
    key_hash    bytea NOT NULL CONSTRAINT api_keys_key_hash UNIQUE CHECK (length(key_hash) = 32),
    hint        text NOT NULL,
    read_only   boolean NOT NULL,
    created_at  timestamptz NOT NULL,
    revoked_at  timestamptz
);

CREATE TABLE brands (
    business_id          text COLLATE "C" NOT NULL REFERENCES businesses,
    mode                 text NOT NULL CHECK (mode IN ('test', 'live')),
    brand_id             text COLLATE "C" NOT NULL,
    name                 text,
    description          text,
    statement_descriptor text NOT NULL,
    support_email        text,
    url                  text,
    image                text,
    enabled              boolean NOT NULL DEFAULT true,
    created_at           timestamptz NOT NULL,
    updated_at           timestamptz NOT NULL,
    archived_at          timestamptz,
    PRIMARY KEY (business_id, mode, brand_id)
);

CREATE TABLE customers (
    business_id      text COLLATE "C" NOT NULL,
    mode             text NOT NULL,
    customer_id      text COLLATE "C" NOT NULL,
    email            text NOT NULL,
    -- The address in lower case: two first purchases of one person at the same moment make one customer.
    email_key        text COLLATE "C" NOT NULL,
    name             text NOT NULL,
    phone_number     text,
    metadata         json NOT NULL,
    preferred_locale text,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    PRIMARY KEY (business_id, mode, customer_id),
    CONSTRAINT customers_email UNIQUE (business_id, mode, email_key)
);

CREATE TABLE products (
    business_id  text COLLATE "C" NOT NULL,
    mode         text NOT NULL,
    product_id   text COLLATE "C" NOT NULL,
    brand_id     text COLLATE "C" NOT NULL,
    name         text NOT NULL,
    description  text,
    image        text,
    tax_category text NOT NULL,
    -- The price object as the contract shapes it (`type` tells one-time, recurring and usage-based apart).
    price        json NOT NULL,
    is_recurring boolean NOT NULL,
    pricing_mode text CHECK (pricing_mode IN ('by_currency', 'by_country')),
    metadata     json NOT NULL,
    -- Fields that are stored and returned but decide nothing here: add-ons, entitlements, licence keys, delivery.
    extras       json NOT NULL,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    archived_at  timestamptz,
    PRIMARY KEY (business_id, mode, product_id),
    FOREIGN KEY (business_id, mode, brand_id) REFERENCES brands,
    CONSTRAINT products_kind CHECK (is_recurring = (price ->> 'type' <> 'one_time_price')),
    CONSTRAINT products_price CHECK (
        coalesce((price ->> 'price')::bigint, (price ->> 'fixed_price')::bigint, -1) BETWEEN 0 AND 2147483647)
);
CREATE INDEX products_brand ON products (business_id, mode, brand_id, product_id);

CREATE TABLE payments (
    business_id         text COLLATE "C" NOT NULL,
    mode                text NOT NULL,
    payment_id          text COLLATE "C" NOT NULL,
    brand_id            text COLLATE "C" NOT NULL,
    customer_id         text COLLATE "C" NOT NULL,
    status              text NOT NULL,
    currency            text NOT NULL,
    subtotal            bigint NOT NULL CHECK (subtotal >= 0),
    discount            bigint NOT NULL CHECK (discount >= 0),
    tax                 bigint NOT NULL CHECK (tax >= 0),
    total_amount        bigint NOT NULL CHECK (total_amount BETWEEN 0 AND 2147483647),
    settlement_currency text NOT NULL,
    settlement_amount   bigint NOT NULL CHECK (settlement_amount >= 0),
    settlement_tax      bigint NOT NULL CHECK (settlement_tax BETWEEN 0 AND settlement_amount),
    billing             json NOT NULL,
    metadata            json NOT NULL,
    -- What the request asked for and later steps need: return_url, allowed methods, tax id, discount codes, 3DS wish ...
    options             json NOT NULL,
    -- Everything the amounts were computed from, rates and rules included: recomputing it gives the same amounts.
    pricing             json NOT NULL,
    link_id             text COLLATE "C",
    expires_on          timestamptz NOT NULL,
    -- SHA-256: the secret itself is shown once, in the answer to the creation.
    client_secret_hash  bytea NOT NULL CHECK (length(client_secret_hash) = 32),
    payment_method      text,
    payment_method_type text,
    card                jsonb,
    error_code          text,
    error_message       text,
    created_at          timestamptz NOT NULL,
    updated_at          timestamptz,
    PRIMARY KEY (business_id, mode, payment_id),
    FOREIGN KEY (business_id, mode, customer_id) REFERENCES customers,
    CONSTRAINT payments_total CHECK (subtotal - discount + tax = total_amount),
    CONSTRAINT payments_status CHECK (status IN (
        'succeeded', 'failed', 'cancelled', 'processing', 'requires_customer_action', 'requires_payment_method')),
    CONSTRAINT payments_failure CHECK ((status = 'failed') = (error_code IS NOT NULL))
);
CREATE UNIQUE INDEX payments_link ON payments (link_id) WHERE link_id IS NOT NULL;
CREATE INDEX payments_customer ON payments (business_id, mode, customer_id, payment_id);
-- The sweep reads only payments that can still expire.
CREATE INDEX payments_expiry ON payments (expires_on) WHERE status = 'requires_payment_method';

CREATE TABLE payment_lines (
    business_id  text COLLATE "C" NOT NULL,
    mode         text NOT NULL,
    payment_id   text COLLATE "C" NOT NULL,
    position     smallint NOT NULL CHECK (position BETWEEN 0 AND 99),
    product_id   text COLLATE "C" NOT NULL,
    name         text NOT NULL,
    description  text,
    quantity     integer NOT NULL CHECK (quantity >= 0),
    -- What the customer chose to pay for one unit of a pay-what-you-want product, in the product's currency.
    amount       bigint,
    -- Price of one unit before discounts, in the product's currency.
    unit_price   bigint NOT NULL CHECK (unit_price >= 0),
    tax_category text NOT NULL,
    tax_inclusive boolean NOT NULL,
    subtotal     bigint NOT NULL CHECK (subtotal >= 0),
    discount     bigint NOT NULL CHECK (discount >= 0),
    tax          bigint NOT NULL CHECK (tax >= 0),
    total        bigint NOT NULL,
    PRIMARY KEY (business_id, mode, payment_id, position),
    FOREIGN KEY (business_id, mode, payment_id) REFERENCES payments,
    CONSTRAINT payment_lines_total CHECK (subtotal - discount + tax = total)
);
CREATE INDEX payment_lines_product ON payment_lines (business_id, mode, product_id, payment_id);

-- One row is one try at charging. It is committed before the processor is called; its id is the processor's idempotency key.
CREATE TABLE attempts (
    business_id text COLLATE "C" NOT NULL,
    mode        text NOT NULL,
    attempt_id  text COLLATE "C" NOT NULL,
    payment_id  text COLLATE "C" NOT NULL,
    processor   text NOT NULL,
    amount      bigint NOT NULL CHECK (amount >= 0),
    currency    text NOT NULL,
    card        jsonb,
    -- The last outcome that the processor reported; null while its first answer is awaited.
    outcome     jsonb,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    resolved_at timestamptz,
    PRIMARY KEY (business_id, mode, attempt_id),
    FOREIGN KEY (business_id, mode, payment_id) REFERENCES payments
);
-- A payment has at most one attempt whose end is not known: the database's own guard against two charges.
CREATE UNIQUE INDEX attempts_one_live ON attempts (business_id, mode, payment_id) WHERE resolved_at IS NULL;
