-- Runs, tasks, attempts, what they wrote and what they read.
-- One text for SQLite and PostgreSQL: times are UTC microseconds, truth values 0 or 1, JSON is text.
-- A migration ends by saying which schema it leaves and which release of flowkit can use that.

CREATE TABLE schema_version (
    version INTEGER PRIMARY KEY,
    min_reader INTEGER NOT NULL,
    min_writer INTEGER NOT NULL,
    release TEXT NOT NULL
);

-- One row. "runs" counts the runs ever created: keys follow the order of commits.
CREATE TABLE store (
    uuid TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    runs INTEGER NOT NULL
);

-- "runs" is the counter that run ids come from.
CREATE TABLE flow (
    name TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    runs INTEGER NOT NULL
);

-- The columns from "host" on are the lease.
CREATE TABLE run (
    key INTEGER PRIMARY KEY,
    flow TEXT NOT NULL REFERENCES flow (name),
    run_id TEXT NOT NULL,
    token TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL,
    user_name TEXT NOT NULL,
    root TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    finished_at BIGINT,
    origin_run_id TEXT,
    info TEXT NOT NULL,
    host TEXT NOT NULL,
    boot_id TEXT NOT NULL,
    pid BIGINT NOT NULL,
    pid_start TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    heartbeat BIGINT NOT NULL,
    UNIQUE (flow, run_id)
);

CREATE INDEX run_newest_of_flow ON run (flow, key);

CREATE TABLE tag (
    run INTEGER NOT NULL REFERENCES run (key),
    tag TEXT NOT NULL,
    is_system INTEGER NOT NULL,
    PRIMARY KEY (run, tag)
);

CREATE INDEX tag_runs ON tag (tag, run);

CREATE TABLE task (
    run INTEGER NOT NULL REFERENCES run (key),
    task_id BIGINT NOT NULL,
    step TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    frames TEXT NOT NULL,
    iteration INTEGER NOT NULL,
    inputs TEXT NOT NULL,
    gang_rank INTEGER,
    PRIMARY KEY (run, task_id)
);

CREATE INDEX task_of_step ON task (run, step, task_id);

-- task.inputs turned around: who has a task among its inputs.
CREATE TABLE task_input (
    run INTEGER NOT NULL,
    input_id BIGINT NOT NULL,
    task_id BIGINT NOT NULL,
    PRIMARY KEY (run, input_id, task_id),
    FOREIGN KEY (run, task_id) REFERENCES task (run, task_id)
);

CREATE TABLE attempt (
    run INTEGER NOT NULL,
    task_id BIGINT NOT NULL,
    attempt INTEGER NOT NULL,
    status TEXT NOT NULL,
    manifest TEXT,
    error TEXT,
    started_at BIGINT NOT NULL,
    finished_at BIGINT,
    log_start BIGINT NOT NULL,
    log_end BIGINT NOT NULL,
    origin TEXT,
    PRIMARY KEY (run, task_id, attempt),
    FOREIGN KEY (run, task_id) REFERENCES task (run, task_id)
);

CREATE TABLE artifact (
    run INTEGER NOT NULL,
    task_id BIGINT NOT NULL,
    attempt INTEGER NOT NULL,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    materializer TEXT NOT NULL,
    type TEXT NOT NULL,
    size BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (run, task_id, attempt, name),
    FOREIGN KEY (run, task_id, attempt) REFERENCES attempt (run, task_id, attempt)
);

CREATE INDEX artifact_by_digest ON artifact (digest);

CREATE TABLE read (
    run INTEGER NOT NULL,
    task_id BIGINT NOT NULL,
    attempt INTEGER NOT NULL,
    position INTEGER NOT NULL,
    token TEXT NOT NULL,
    digest TEXT,
    PRIMARY KEY (run, task_id, attempt, position),
    FOREIGN KEY (run, task_id, attempt) REFERENCES attempt (run, task_id, attempt)
);

CREATE INDEX read_by_digest ON read (digest);

-- Every task with its visible attempt: the last one.
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
WHERE a.attempt = (
    SELECT max(m.attempt) FROM attempt m WHERE m.run = t.run AND m.task_id = t.task_id
);

INSERT INTO store (uuid, created_at, runs) VALUES (:uuid, :now, 0);

INSERT INTO schema_version (version, min_reader, min_writer, release) VALUES (1, 1, 1, '0.1.0');
