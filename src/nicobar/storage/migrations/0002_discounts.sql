-- Discount codes, the customers they are kept for, and every use that a payment made of them.

CREATE TABLE discounts (
    business_id              text COLLATE "C" NOT NULL REFERENCES businesses,
    mode                     text NOT NULL CHECK (mode IN ('test', 'live')),
    discount_id              text COLLATE "C" NOT NULL,
    -- Upper case, so that equal means equal in any case.
    code                     text COLLATE "C" NOT NULL CHECK (code ~ '^[A-Z0-9!$%&*+.@_-]{3,16}$'),
    name                     text,
    type                     text NOT NULL CHECK (type IN ('percentage', 'flat')),
    -- Percentage: basis points. Flat: kept as it was sent; the deduction stands in the currency options.
    amount                   bigint NOT NULL CHECK (amount BETWEEN 1 AND 2147483647),
    currency_options         jsonb NOT NULL,
    -- Product ids; empty means every product.
    restricted_to            text[] NOT NULL,
    usage_limit              integer CHECK (usage_limit >= 1),
    per_customer_usage_limit integer CHECK (per_customer_usage_limit >= 1),
    starts_at                timestamptz,
    expires_at               timestamptz,
    customer_eligibility     text NOT NULL CHECK (customer_eligibility IN ('any', 'first_time', 'existing', 'specific')),
    subscription_cycles      integer CHECK (subscription_cycles >= 0),
    preserve_on_plan_change  boolean NOT NULL,
    metadata                 json NOT NULL,
    -- Payments that succeeded with the code, and payments that are open with it.
    times_used               integer NOT NULL DEFAULT 0 CHECK (times_used >= 0),
    times_reserved           integer NOT NULL DEFAULT 0 CHECK (times_reserved >= 0),
    -- Whether the uses may stand above the limit: after a success that came when its reservation had been given back
    -- (the money was taken, so it counts), or after the merchant lowered the limit. A reservation writes false.
    over_limit               boolean NOT NULL DEFAULT false,
    created_at               timestamptz NOT NULL,
    updated_at               timestamptz NOT NULL,
    deleted_at               timestamptz,
    PRIMARY KEY (business_id, mode, discount_id),
    CONSTRAINT discounts_percentage CHECK (type <> 'percentage' OR amount <= 10000),
    CONSTRAINT discounts_flat CHECK (type <> 'flat' OR jsonb_array_length(currency_options) > 0),
    CONSTRAINT discounts_period CHECK (starts_at < expires_at),
    CONSTRAINT discounts_limits CHECK (per_customer_usage_limit <= usage_limit),
    CONSTRAINT discounts_uses CHECK (over_limit OR times_used + times_reserved <= usage_limit)
);
-- A deleted discount gives its code free.
CREATE UNIQUE INDEX discounts_code ON discounts (business_id, mode, code) WHERE deleted_at IS NULL;

-- Who may use a discount whose customer_eligibility is `specific`.
CREATE TABLE discount_customers (
    business_id text COLLATE "C" NOT NULL,
    mode        text NOT NULL,
    discount_id text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (business_id, mode, discount_id, customer_id),
    FOREIGN KEY (business_id, mode, discount_id) REFERENCES discounts,
    FOREIGN KEY (business_id, mode, customer_id) REFERENCES customers
);

-- One row is one code on one payment. `code`, `type` and `amount` are the discount's as they were then.
CREATE TABLE discount_redemptions (
    business_id    text COLLATE "C" NOT NULL,
    mode           text NOT NULL,
    payment_id     text COLLATE "C" NOT NULL,
    -- From 0, in the order in which the codes were applied.
    position       smallint NOT NULL CHECK (position BETWEEN 0 AND 19),
    discount_id    text COLLATE "C" NOT NULL,
    -- The payment's, which refers to the customer.
    customer_id    text COLLATE "C" NOT NULL,
    code           text COLLATE "C" NOT NULL,
    type           text NOT NULL,
    amount         bigint NOT NULL,
    -- What the code took off, in minor units of the payment's currency, without tax.
    deducted       bigint NOT NULL CHECK (deducted >= 0),
    -- reserved: the payment is open. redeemed: it succeeded. released: the use was given back.
    state          text NOT NULL CHECK (state IN ('reserved', 'redeemed', 'released')),
    reserved_until timestamptz NOT NULL,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    PRIMARY KEY (business_id, mode, payment_id, position),
    CONSTRAINT discount_redemptions_once UNIQUE (business_id, mode, payment_id, discount_id),
    FOREIGN KEY (business_id, mode, payment_id) REFERENCES payments,
    FOREIGN KEY (business_id, mode, discount_id) REFERENCES discounts
);
-- A customer's own uses of a code.
CREATE INDEX discount_redemptions_customer ON discount_redemptions (business_id, mode, discount_id, customer_id)
    WHERE state <> 'released';
-- The sweep reads only uses that can still be given back.
CREATE INDEX discount_redemptions_due ON discount_redemptions (reserved_until) WHERE state = 'reserved';
