-- What refunds hold of a payment, pending ones included, is reserved; what the succeeded ones have given back has
-- succeeded. No old name gets another meaning: a process of the version before, beside one of this version, finds no
-- column by the name that it knows, so that it reads no payment any more and orders no refund.

ALTER TABLE payments RENAME COLUMN refunded_amount TO refund_reserved_amount;
ALTER TABLE payments RENAME COLUMN refunded_settlement_amount TO refund_reserved_settlement_amount;
ALTER TABLE payments RENAME COLUMN returned_amount TO refund_succeeded_amount;

ALTER TABLE payment_lines RENAME COLUMN refunded_amount TO refund_reserved_amount;
ALTER TABLE payment_lines RENAME COLUMN refunded_tax TO refund_reserved_tax;
ALTER TABLE payment_lines RENAME COLUMN refunded_settlement_amount TO refund_reserved_settlement_amount;
ALTER TABLE payment_lines RENAME COLUMN refunded_settlement_tax TO refund_reserved_settlement_tax;

-- What the simulated bank keeps is a charge; an order is what a customer buys.
ALTER TABLE simulator.orders RENAME TO charges;
ALTER TABLE simulator.charges RENAME CONSTRAINT orders_closed TO charges_closed;
ALTER TABLE simulator.charges RENAME CONSTRAINT orders_taken TO charges_taken;
ALTER TABLE simulator.charges RENAME CONSTRAINT orders_refunded TO charges_refunded;
ALTER INDEX simulator.orders_created RENAME TO charges_created;
ALTER INDEX simulator.refunds_order RENAME TO refunds_charge;
ALTER TABLE simulator.charges RENAME CONSTRAINT orders_amount_check TO charges_amount_check;
