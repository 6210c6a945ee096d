-- Which results are being computed now, so that no other run computes them too.
-- A claim counts while its run is alive under this epoch; nothing else refers to this table.

CREATE TABLE claim (
    key TEXT PRIMARY KEY,
    run BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    task_id BIGINT NOT NULL
);

CREATE INDEX claim_of_task ON claim (run, task_id);

INSERT INTO schema_version (version, min_reader, min_writer, release) VALUES (6, 1, 3, '0.1.0');
