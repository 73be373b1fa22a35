-- As in migration 32: before a table was analyzed, an index that begins with the tenant looks as good as the key, and
-- whoever asks for one row, a foreign key's check included, would read all of the tenant's. So each of the others
-- begins with the column that its queries are about.
ALTER TABLE customers
    DROP CONSTRAINT customers_email,
    ADD CONSTRAINT customers_email UNIQUE (email_key, business_id, mode);

DROP INDEX payments_customer, payment_lines_product, products_brand, attempts_payment,
    subscriptions_customer, subscriptions_product, subscriptions_method, subscription_charges_of;
CREATE INDEX payments_customer ON payments (customer_id, business_id, mode, payment_id);
CREATE INDEX payment_lines_product ON payment_lines (product_id, business_id, mode, payment_id);
CREATE INDEX products_brand ON products (brand_id, business_id, mode, product_id);
CREATE INDEX attempts_payment ON attempts (payment_id, business_id, mode, attempt_id);
CREATE INDEX subscriptions_customer ON subscriptions (customer_id, business_id, mode, subscription_id);
CREATE INDEX subscriptions_product ON subscriptions (product_id, business_id, mode, subscription_id);
CREATE INDEX subscriptions_method ON subscriptions (payment_method_id, business_id, mode)
    WHERE payment_method_id IS NOT NULL;
CREATE INDEX subscription_charges_of ON subscription_charges (subscription_id, business_id, mode, payment_id);

-- Lists by what few rows have: they read every row of the tenant to fill a page.
CREATE INDEX payments_by_status ON payments (status, business_id, mode, payment_id);
CREATE INDEX payments_by_currency ON payments (currency, business_id, mode, payment_id);
-- The brand that a business begins with has its id, and most have no other one: this costs them nothing.
CREATE INDEX payments_by_brand ON payments (brand_id, business_id, mode, payment_id) WHERE brand_id <> business_id;
CREATE INDEX refunds_by_status ON refunds (status, business_id, mode, refund_id);
CREATE INDEX subscriptions_by_status ON subscriptions (status, business_id, mode, subscription_id);
CREATE INDEX subscriptions_by_brand ON subscriptions (brand_id, business_id, mode, subscription_id);
CREATE INDEX subscriptions_by_end
    ON subscriptions (cancel_at_next_billing_date, business_id, mode, subscription_id);
