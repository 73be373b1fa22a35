-- Localized prices: a merchant's own price of a product for one country or one currency. Rows are archived, never
-- deleted, so that it stays known what was for sale where, and when.

CREATE TABLE localized_prices (
    business_id        text COLLATE "C" NOT NULL,
    mode               text NOT NULL,
    product_id         text COLLATE "C" NOT NULL,
    localized_price_id text COLLATE "C" NOT NULL,
    pricing_mode       text NOT NULL CHECK (pricing_mode IN ('by_currency', 'by_country')),
    currency           text NOT NULL,
    -- Minor units of the row's own currency, for one unit, before tax.
    amount             bigint NOT NULL CHECK (amount BETWEEN 1 AND 2147483647),
    country_code       text,
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL,
    archived_at        timestamptz,
    PRIMARY KEY (business_id, mode, product_id, localized_price_id),
    FOREIGN KEY (business_id, mode, product_id) REFERENCES products,
    CONSTRAINT localized_prices_shape CHECK ((pricing_mode = 'by_country') = (country_code IS NOT NULL))
);
-- One active price a market. A country has two letters and a currency three, so one index holds both kinds of market.
CREATE UNIQUE INDEX localized_prices_market
    ON localized_prices (business_id, mode, product_id, (coalesce(country_code, currency)))
    WHERE archived_at IS NULL;
