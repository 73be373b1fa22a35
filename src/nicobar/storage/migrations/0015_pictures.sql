-- Pictures of products and brands: what was uploaded, drawn anew (core/picture.py), and never the uploaded file itself.

CREATE TABLE pictures (
    business_id text COLLATE "C" NOT NULL REFERENCES businesses,
    mode        text NOT NULL CHECK (mode IN ('test', 'live')),
    -- Random, because whoever knows it can see the picture.
    image_id    text COLLATE "C" NOT NULL,
    -- SHA-256 of the ticket in the address of the upload; gone once it is used.
    ticket_hash bytea CHECK (length(ticket_hash) = 32),
    -- What shows the picture as soon as it is uploaded. Without either, somebody has to name its id first.
    product_id  text COLLATE "C",
    brand_id    text COLLATE "C",
    -- WebP, at most 640 and 144 pixels wide and high.
    whole       bytea CHECK (length(whole) <= 1048576),
    small       bytea CHECK (length(small) <= 3072),
    created_at  timestamptz NOT NULL,
    -- When it may be forgotten: an upload that never came, or a picture that nothing shows. Null while it is shown.
    expires_at  timestamptz,
    PRIMARY KEY (business_id, mode, image_id),
    CONSTRAINT pictures_image_id UNIQUE (image_id),
    CONSTRAINT pictures_product FOREIGN KEY (business_id, mode, product_id) REFERENCES products,
    CONSTRAINT pictures_brand FOREIGN KEY (business_id, mode, brand_id) REFERENCES brands,
    CONSTRAINT pictures_one_target CHECK (num_nonnulls(product_id, brand_id) <= 1),
    CONSTRAINT pictures_awaited_or_there CHECK (
        num_nulls(whole, small) = 2 AND num_nonnulls(ticket_hash, expires_at) = 2
        OR num_nonnulls(whole, small) = 2 AND ticket_hash IS NULL
    )
);

CREATE INDEX pictures_expiring ON pictures (expires_at) WHERE expires_at IS NOT NULL;

-- They are compressed already.
ALTER TABLE pictures ALTER COLUMN whole SET STORAGE EXTERNAL, ALTER COLUMN small SET STORAGE EXTERNAL;

-- The columns that these replace were always null.
ALTER TABLE products DROP COLUMN image;
ALTER TABLE products
    ADD COLUMN image_id text COLLATE "C",
    ADD CONSTRAINT products_image FOREIGN KEY (business_id, mode, image_id) REFERENCES pictures;
CREATE INDEX products_by_image ON products (business_id, mode, image_id) WHERE image_id IS NOT NULL;

ALTER TABLE brands DROP COLUMN image;
ALTER TABLE brands
    ADD COLUMN image_id text COLLATE "C",
    ADD CONSTRAINT brands_image FOREIGN KEY (business_id, mode, image_id) REFERENCES pictures;
CREATE INDEX brands_by_image ON brands (business_id, mode, image_id) WHERE image_id IS NOT NULL;
