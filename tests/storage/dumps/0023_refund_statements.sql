-- Statements of the program before refund_words that read and write what refunds take, word for word.
-- lock_payment
SELECT 
    p.business_id, p.mode, p.payment_id, p.brand_id, p.status, p.currency, p.subtotal, p.discount, p.tax,
    p.total_amount, p.settlement_currency, p.settlement_amount, p.settlement_tax, p.billing, p.metadata, p.options,
    p.link_id, p.expires_on, p.payment_method, p.payment_method_type, p.card, p.error_code, p.error_message,
    p.created_at, p.updated_at, p.payment_method_id, p.three_ds, p.refunded_amount, p.returned_amount,
    c.customer_id, c.email, c.name AS customer_name, c.phone_number, c.metadata AS customer_metadata
    FROM payments p JOIN customers c USING (business_id, mode, customer_id)
 WHERE p.business_id = $1 AND p.mode = $2 AND p.payment_id = $3 FOR UPDATE OF p;
-- read_lines
SELECT position, product_id, name, description, quantity, amount, unit_price, tax_category, tax_inclusive,
       subtotal, discount, tax, total, refunded_amount, refunded_tax, refunded_settlement_amount,
       refunded_settlement_tax
FROM payment_lines WHERE business_id = $1 AND mode = $2 AND payment_id = $3 ORDER BY position;
-- insert_refund
WITH part AS (
    SELECT * FROM unnest($16::smallint[], $17::bigint[], $18::bigint[], $19::bigint[], $20::bigint[])
        AS part (position, amount, tax, settlement_amount, settlement_tax)
), whole AS (
    SELECT sum(amount)::bigint AS amount, sum(tax)::bigint AS tax, sum(settlement_amount)::bigint AS settlement_amount,
           sum(settlement_tax)::bigint AS settlement_tax
    FROM part
), refund AS (
    INSERT INTO refunds (
        business_id, mode, refund_id, payment_id, attempt_id, status, currency, settlement_currency, is_partial,
        reason, metadata, created_at, updated_at, amount, tax, settlement_amount, settlement_tax)
    SELECT $1, $2, $3, $4, $5, 'pending', $6, $7, $8, $9, $10, $11, $11, whole.* FROM whole
    WHERE (whole.amount, whole.tax, whole.settlement_amount, whole.settlement_tax) = ($12, $13, $14, $15)
    RETURNING payment_id
), lines AS (
    INSERT INTO refund_lines (business_id, mode, refund_id, payment_id, position, amount, tax, settlement_amount, settlement_tax)
    SELECT $1, $2, $3, refund.payment_id, part.* FROM part, refund
), of_lines AS (
    UPDATE payment_lines l SET
        refunded_amount = l.refunded_amount + part.amount, refunded_tax = l.refunded_tax + part.tax,
        refunded_settlement_amount = l.refunded_settlement_amount + part.settlement_amount,
        refunded_settlement_tax = l.refunded_settlement_tax + part.settlement_tax
    FROM part
    WHERE l.business_id = $1 AND l.mode = $2 AND l.payment_id = $4 AND l.position = part.position
)
UPDATE payments p SET
    refunded_amount = p.refunded_amount + whole.amount,
    refunded_settlement_amount = p.refunded_settlement_amount + whole.settlement_amount
FROM whole, refund
WHERE p.business_id = $1 AND p.mode = $2 AND p.payment_id = refund.payment_id
RETURNING true;
-- move_refund
WITH moved AS (
    UPDATE refunds r SET status = $4, outcome = $5, updated_at = $6, resolved_at = $6, asked_at = $11,
        network_reference = coalesce($7::text, r.network_reference),
        network_reference_type = CASE WHEN $7::text IS NULL THEN r.network_reference_type ELSE $8 END,
        network_reference_updated_at = CASE WHEN $7::text IS NULL THEN r.network_reference_updated_at
            ELSE $6::timestamptz END
    WHERE r.business_id = $1 AND r.mode = $2 AND r.refund_id = $3 AND r.status = ANY($9::text[]) AND r.status = $10
    RETURNING 
    r.refund_id, r.payment_id, r.attempt_id, r.status, r.amount, r.tax, r.currency, r.settlement_amount,
    r.settlement_tax, r.settlement_currency, r.is_partial, r.reason, r.metadata, r.outcome, r.asked_at,
    r.network_reference, r.network_reference_type, r.network_reference_updated_at, r.created_at, r.resolved_at

), of_lines AS (
    UPDATE payment_lines l SET
        refunded_amount = l.refunded_amount - part.amount, refunded_tax = l.refunded_tax - part.tax,
        refunded_settlement_amount = l.refunded_settlement_amount - part.settlement_amount,
        refunded_settlement_tax = l.refunded_settlement_tax - part.settlement_tax
    FROM refund_lines part, moved
    WHERE moved.status = 'failed' AND part.business_id = $1 AND part.mode = $2 AND part.refund_id = $3
      AND l.business_id = $1 AND l.mode = $2 AND l.payment_id = part.payment_id AND l.position = part.position
), of_payment AS (
    UPDATE payments p SET
        refunded_amount = p.refunded_amount - CASE moved.status WHEN 'failed' THEN moved.amount ELSE 0 END,
        refunded_settlement_amount = p.refunded_settlement_amount
            - CASE moved.status WHEN 'failed' THEN moved.settlement_amount ELSE 0 END,
        returned_amount = p.returned_amount + CASE WHEN moved.status = 'succeeded' THEN moved.amount
            WHEN $10 = 'succeeded' THEN -moved.amount ELSE 0 END
    FROM moved
    WHERE p.business_id = $1 AND p.mode = $2 AND p.payment_id = moved.payment_id
)
SELECT * FROM moved;
