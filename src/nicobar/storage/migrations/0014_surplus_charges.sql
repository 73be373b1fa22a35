-- A charge that came to light after its payment was paid by another attempt, or could not be paid by it any more: the
-- money has to go back, and `returned_at` says when the processor has said that it does.
ALTER TABLE attempts
    ADD COLUMN is_surplus  boolean NOT NULL DEFAULT false,
    ADD COLUMN returned_at timestamptz,
    ADD CONSTRAINT attempts_returned CHECK (returned_at IS NULL OR is_surplus);
