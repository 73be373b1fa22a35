-- Add-ons, which are charged with the plan of a subscription. Products name theirs in `extras`.
CREATE TABLE addons (
    business_id  text COLLATE "C" NOT NULL,
    mode         text NOT NULL,
    addon_id     text COLLATE "C" NOT NULL,
    name         text NOT NULL,
    description  text,
    price        bigint NOT NULL CHECK (price BETWEEN 0 AND 2147483647),
    currency     text NOT NULL,
    tax_category text NOT NULL,
    image_id     text COLLATE "C",
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    archived_at  timestamptz,
    PRIMARY KEY (business_id, mode, addon_id)
);
