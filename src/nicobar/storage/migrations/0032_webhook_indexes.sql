-- Before a table was analyzed, PostgreSQL takes every index whose first columns a condition names for as good as the
-- right one, and reads a whole tenant to find one row. That goes for the checks of foreign keys, too, which nobody can
-- write differently. So no two indexes of these tables serve the same condition: each begins with the column that its
-- queries are about, or is partial, and then only a query that repeats its condition can use it.

ALTER TABLE webhook_attempts DROP CONSTRAINT webhook_attempts_business_id_mode_event_id_endpoint_id_fkey;
ALTER TABLE webhook_deliveries DROP CONSTRAINT webhook_deliveries_business_id_mode_event_id_fkey;

ALTER TABLE events DROP CONSTRAINT events_pkey, ADD PRIMARY KEY (event_id, business_id, mode);
DROP INDEX events_object, events_number, events_type;
CREATE INDEX events_object ON events (object_id, business_id, mode, number);
CREATE UNIQUE INDEX events_number ON events (business_id, mode, number) WHERE number > 0;
CREATE INDEX events_type ON events (business_id, mode, type, number) WHERE number > 0;
ALTER TABLE events ADD CONSTRAINT events_number_positive CHECK (number > 0);

-- What identifies a message is made of the event and the endpoint, so the primary key keeps it unique.
ALTER TABLE webhook_deliveries
    DROP CONSTRAINT webhook_deliveries_pkey,
    DROP CONSTRAINT webhook_deliveries_business_id_mode_message_id_key,
    ADD PRIMARY KEY (event_id, endpoint_id, business_id, mode);
DROP INDEX webhook_deliveries_by_age, webhook_deliveries_by_endpoint;
-- Those that ended; the others are in `webhook_deliveries_by_due`.
CREATE INDEX webhook_deliveries_by_age ON webhook_deliveries (business_id, mode, created_at) WHERE due_at IS NULL;
CREATE INDEX webhook_deliveries_by_endpoint ON webhook_deliveries (business_id, mode, endpoint_id)
    WHERE due_at IS NULL;

-- No foreign key leads to the endpoint: every payment of a tenant would lock the same row, and those side by side would
-- make a list of lockers for it. Endpoints are deleted by the purge alone, when none of their deliveries
-- is left, and doctor names what waits for one that is not there.
ALTER TABLE webhook_deliveries DROP CONSTRAINT webhook_deliveries_business_id_mode_endpoint_id_fkey;

ALTER TABLE webhook_deliveries ADD CONSTRAINT webhook_deliveries_event
    FOREIGN KEY (business_id, mode, event_id) REFERENCES events (business_id, mode, event_id);
ALTER TABLE webhook_attempts ADD CONSTRAINT webhook_attempts_delivery
    FOREIGN KEY (business_id, mode, event_id, endpoint_id)
    REFERENCES webhook_deliveries (business_id, mode, event_id, endpoint_id) ON DELETE CASCADE;

-- Whether an event is the newest word about a payment depends on its refunds and disputes.
CREATE INDEX refunds_by_payment ON refunds (payment_id);
CREATE INDEX disputes_by_payment ON disputes (payment_id);
