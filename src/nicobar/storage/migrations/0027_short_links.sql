-- Short links: a name for a static link with its parameters. Names are unique on the server, because its address is.

CREATE TABLE short_links (
    business_id text        COLLATE "C" NOT NULL REFERENCES businesses,
    mode        text        NOT NULL CHECK (mode IN ('test', 'live')),
    link_id     text        COLLATE "C" NOT NULL,
    slug        text        COLLATE "C" NOT NULL UNIQUE CHECK (length(slug) BETWEEN 3 AND 64 AND slug !~ '^pdt_'),
    product_id  text        COLLATE "C" NOT NULL,
    -- The query of the static link, as it was given.
    parameters  json        NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (business_id, mode, link_id),
    FOREIGN KEY (business_id, mode, product_id) REFERENCES products
);

CREATE INDEX short_links_product ON short_links (business_id, mode, product_id);
