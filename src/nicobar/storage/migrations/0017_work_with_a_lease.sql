-- Work that is due is a row of what it is about. `due_at` is when somebody should take it next: whoever takes it moves
-- that on by a lease, so nobody else does meanwhile, and what a crash leaves behind is taken again when the lease has
-- run out. Null when there is nothing left to do. `tries` counts how often it was taken.

ALTER TABLE notices
    ADD COLUMN due_at timestamptz,
    ADD COLUMN tries  integer NOT NULL DEFAULT 0;

ALTER TABLE attempts
    -- A surplus charge that has to go back.
    ADD COLUMN return_due_at timestamptz,
    ADD COLUMN return_tries  integer NOT NULL DEFAULT 0;

-- The jobs that wait are carried over: those of the queue at their time, those that a worker had taken when it would
-- have counted as dead, those that were held now. A key may have been queued again beside a job that is held. Work
-- without a job is due now: its row says that it is not done, and nothing else would find it.
CREATE TABLE waiting_jobs AS
SELECT dedupe_key, max(attempts) AS tries, min(
    CASE status WHEN 'queued' THEN execute_after WHEN 'picked' THEN heartbeat + interval '30 seconds' ELSE now() END
) AS due_at
FROM pgqueuer WHERE dedupe_key IS NOT NULL GROUP BY dedupe_key;
ALTER TABLE waiting_jobs ADD PRIMARY KEY (dedupe_key);

UPDATE notices n SET (due_at, tries) = (
    SELECT coalesce(max(j.due_at), now()), coalesce(max(j.tries), 0) FROM waiting_jobs j
    WHERE j.dedupe_key = format('notice/%s/%s/%s/%s', n.business_id, n.mode, n.processor, n.notice_id))
WHERE handled_at IS NULL;

UPDATE attempts a SET (return_due_at, return_tries) = (
    SELECT coalesce(max(j.due_at), now()), coalesce(max(j.tries), 0) FROM waiting_jobs j
    WHERE j.dedupe_key = format('return/%s/%s/%s', a.business_id, a.mode, a.attempt_id))
WHERE is_surplus AND returned_at IS NULL;

-- What is not done is always due some day.
ALTER TABLE notices ADD CONSTRAINT notices_due CHECK ((due_at IS NULL) = (handled_at IS NOT NULL));
ALTER TABLE attempts
    ADD CONSTRAINT attempts_return_due CHECK ((return_due_at IS NOT NULL) = (is_surplus AND returned_at IS NULL));

DROP INDEX notices_waiting;
CREATE INDEX notices_by_due ON notices (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX attempts_by_return_due ON attempts (return_due_at) WHERE return_due_at IS NOT NULL;

DROP TABLE waiting_jobs, pgqueuer, pgqueuer_log, pgqueuer_statistics, pgqueuer_schedules;
DROP TYPE pgqueuer_status;
