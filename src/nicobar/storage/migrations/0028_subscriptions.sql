-- Subscriptions. The row is the job (decision 0019): `due_at` says when something is due, in the time of the business.
CREATE TABLE subscriptions (
    business_id       text COLLATE "C" NOT NULL,
    mode              text NOT NULL,
    subscription_id   text COLLATE "C" NOT NULL,
    brand_id          text COLLATE "C" NOT NULL,
    customer_id       text COLLATE "C" NOT NULL,
    product_id        text COLLATE "C" NOT NULL,
    status            text NOT NULL CONSTRAINT subscriptions_status CHECK (status IN (
        'pending', 'active', 'past_due', 'on_hold', 'paused', 'cancelled', 'failed', 'expired')),
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL,
    next_billing_date timestamptz NOT NULL,
    cancel_at_next_billing_date boolean NOT NULL,
    payment_method_id text COLLATE "C",
    -- The payment whose end is awaited; nothing else is charged meanwhile.
    open_payment_id   text COLLATE "C",
    first_payment_id  text COLLATE "C" NOT NULL,
    credit            bigint NOT NULL CONSTRAINT subscriptions_credit CHECK (credit >= 0),
    -- Everything of it, as core/subscriptions/subscription.py:Subscription has it, but for the customer.
    details           json NOT NULL,
    due_at            timestamptz,
    tries             integer NOT NULL DEFAULT 0,
    PRIMARY KEY (business_id, mode, subscription_id),
    FOREIGN KEY (business_id, mode, customer_id) REFERENCES customers,
    FOREIGN KEY (business_id, mode, first_payment_id) REFERENCES payments (business_id, mode, payment_id),
    -- What has ended has nothing left to do.
    CONSTRAINT subscriptions_due CHECK (due_at IS NULL
        OR status NOT IN ('cancelled', 'failed', 'expired', 'paused')),
    -- What waits for its billing date is due then.
    CONSTRAINT subscriptions_wait CHECK (status NOT IN ('pending', 'active') OR open_payment_id IS NOT NULL
        OR due_at IS NOT NULL)
);
CREATE INDEX subscriptions_due_at ON subscriptions (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX subscriptions_customer ON subscriptions (business_id, mode, customer_id, subscription_id);
CREATE INDEX subscriptions_product ON subscriptions (business_id, mode, product_id, subscription_id);
CREATE INDEX subscriptions_method ON subscriptions (business_id, mode, payment_method_id)
    WHERE payment_method_id IS NOT NULL;

-- Which payment charges which subscription for what.
CREATE TABLE subscription_charges (
    business_id     text COLLATE "C" NOT NULL,
    mode            text NOT NULL,
    payment_id      text COLLATE "C" NOT NULL,
    -- From 0: one payment may start several subscriptions.
    position        smallint NOT NULL CHECK (position BETWEEN 0 AND 99),
    subscription_id text COLLATE "C" NOT NULL,
    charge_type     text CHECK (charge_type IN ('new', 'renewal', 'plan_change', 'on_demand')),
    retry_attempt   integer NOT NULL CHECK (retry_attempt >= 0),
    -- What it pays for; null for a charge on demand and for a new card, and until a first payment has succeeded.
    starts_at       timestamptz,
    ends_at         timestamptz,
    -- The share of a whole period of the plan, as decimal text.
    factor          text NOT NULL,
    -- open: its end is awaited. paid, failed: it has ended so. credited: it was paid after all, when another had paid.
    state           text NOT NULL CHECK (state IN ('open', 'paid', 'failed', 'credited')),
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (business_id, mode, payment_id, position),
    FOREIGN KEY (business_id, mode, payment_id) REFERENCES payments,
    FOREIGN KEY (business_id, mode, subscription_id) REFERENCES subscriptions,
    CONSTRAINT subscription_charges_period CHECK ((starts_at IS NULL) = (ends_at IS NULL) AND starts_at <= ends_at)
);
CREATE INDEX subscription_charges_of ON subscription_charges (business_id, mode, subscription_id, payment_id);
-- The database's own guard against two charges: a period is paid once, and one charge is open at a time.
CREATE UNIQUE INDEX subscription_charges_paid_once ON subscription_charges
    (business_id, mode, subscription_id, starts_at) WHERE state = 'paid' AND starts_at IS NOT NULL;
CREATE UNIQUE INDEX subscription_charges_one_open ON subscription_charges
    (business_id, mode, subscription_id) WHERE state = 'open' AND charge_type IS NOT NULL;
