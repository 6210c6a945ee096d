-- Deleting runs, and blobs that nothing refers to, beside drivers that go on working.

-- Moves on three times per collection: announced, deleting, done. Remainder 0: nobody deletes.
ALTER TABLE store ADD COLUMN sweeps BIGINT NOT NULL DEFAULT 0;

-- What the run's driver has last seen of that counter.
ALTER TABLE run ADD COLUMN sweeps_seen BIGINT NOT NULL DEFAULT 0;

-- A run that was deleted by force keeps the rows that versions name as their source.
ALTER TABLE run ADD COLUMN deleted_at BIGINT;

ALTER TABLE run ADD COLUMN deleted_by TEXT;

-- Blobs that are being deleted.
CREATE TABLE tombstone (
    digest TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL
);

-- Blobs that a driver found while a collection went on, and is about to refer to.
CREATE TABLE blob_pin (
    digest TEXT NOT NULL,
    run INTEGER NOT NULL REFERENCES run (key),
    PRIMARY KEY (digest, run)
);

CREATE INDEX blob_pin_of ON blob_pin (run);

-- At most one row: who collects garbage.
CREATE TABLE collector (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    token TEXT NOT NULL,
    host TEXT NOT NULL,
    boot_id TEXT NOT NULL,
    pid BIGINT NOT NULL,
    pid_start TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    heartbeat BIGINT NOT NULL
);

-- Every task with its visible attempt, of runs that are there.
DROP VIEW visible_task;

CREATE VIEW visible_task AS
SELECT
    r.flow, r.run_id, t.run, t.task_id, t.step, t.created_at, t.frames, t.iteration, t.inputs,
    t.gang_rank, a.attempt, a.status, a.manifest, a.error, a.started_at, a.finished_at,
    a.log_start, a.log_end, a.origin,
    (
        SELECT count(*) FROM attempt n WHERE n.run = t.run AND n.task_id = t.task_id
    ) AS attempts
FROM run r
JOIN task t ON t.run = r.key
JOIN attempt a ON a.run = t.run AND a.task_id = t.task_id
WHERE r.deleted_at IS NULL AND a.attempt = (
    SELECT max(m.attempt) FROM attempt m WHERE m.run = t.run AND m.task_id = t.task_id
);

-- An older writer would not notice that a blob it refers to is being deleted.
INSERT INTO schema_version (version, min_reader, min_writer, release) VALUES (3, 1, 3, '0.1.0');
