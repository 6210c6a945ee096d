-- Every statement that flowkit sends to a metadata database, by name, for SQLite and PostgreSQL.
-- :name is a parameter; a list stands for as many values as it has.

-- name: level
SELECT version, min_reader, min_writer, release
FROM schema_version
ORDER BY version DESC
LIMIT 1;

-- Runs and their lease ------------------------------------------------------------------------

-- name: next_run_of_flow
INSERT INTO flow (name, created_at, runs) VALUES (:flow, :now, 1)
ON CONFLICT (name) DO UPDATE SET runs = flow.runs + 1
RETURNING runs;

-- name: ensure_flow
INSERT INTO flow (name, created_at, runs) VALUES (:flow, :now, 0)
ON CONFLICT (name) DO NOTHING;

-- name: next_run_key
UPDATE store SET runs = runs + 1 RETURNING runs;

-- name: insert_run
INSERT INTO run (
    key, flow, run_id, token, status, user_name, root, created_at, origin_run_id, info,
    host, boot_id, pid, pid_start, epoch, heartbeat
) VALUES (
    :run, :flow, :run_id, :token, 'running', :user, :root, :now, :origin_run_id, :info,
    :host, :boot_id, :pid, :pid_start, 1, :now
);

-- name: insert_tag
INSERT INTO tag (run, tag, is_system) VALUES (:run, :tag, :is_system) ON CONFLICT DO NOTHING;

-- name: delete_tag
DELETE FROM tag WHERE run = :run AND tag = :tag AND is_system = 0;

-- name: tags
SELECT tag, is_system FROM tag WHERE run = :run;

-- name: lock_run
UPDATE run SET heartbeat = heartbeat WHERE flow = :flow AND run_id = :run_id RETURNING key;

-- name: fence
UPDATE run SET heartbeat = :now WHERE key = :run AND epoch = :epoch AND status = 'running';

-- name: lease
SELECT flow, run_id, status, host, pid, epoch FROM run WHERE key = :run;

-- name: lease_of
SELECT key, token, status, created_at, host, boot_id, pid, pid_start, epoch, heartbeat
FROM run
WHERE flow = :flow AND run_id = :run_id;

-- name: take_over
UPDATE run
SET epoch = epoch + 1, host = :host, boot_id = :boot_id, pid = :pid, pid_start = :pid_start,
    heartbeat = :now
WHERE key = :run AND epoch = :epoch AND heartbeat = :heartbeat AND status = 'running';

-- name: finish_run
UPDATE run SET status = :status, finished_at = :now
WHERE key = :run AND epoch = :epoch AND status = 'running';

-- name: cancel_attempts
UPDATE attempt SET status = 'cancelled', error = :error, finished_at = :now
WHERE run = :run AND status = 'running';

-- Tasks and attempts --------------------------------------------------------------------------

-- name: insert_task
INSERT INTO task (run, task_id, step, created_at, frames, iteration, inputs, gang_rank)
VALUES (:run, :task_id, :step, :now, :frames, :iteration, :inputs, :gang_rank)
ON CONFLICT DO NOTHING;

-- name: insert_task_input
INSERT INTO task_input (run, input_id, task_id) VALUES (:run, :input_id, :task_id)
ON CONFLICT DO NOTHING;

-- name: insert_attempt
INSERT INTO attempt (run, task_id, attempt, status, started_at, log_start, log_end)
VALUES (:run, :task_id, :attempt, 'running', :now, 0, 0)
ON CONFLICT DO NOTHING;

-- name: end_attempt
UPDATE attempt
SET status = :status, manifest = :manifest, error = :error, started_at = :started_at,
    finished_at = :finished_at, log_start = :log_start, log_end = :log_end, origin = :origin
WHERE run = :run AND task_id = :task_id AND attempt = :attempt AND status = 'running';

-- name: has_attempt
SELECT 1 AS found FROM attempt WHERE run = :run AND task_id = :task_id AND attempt = :attempt;

-- name: insert_artifact
INSERT INTO artifact (
    run, task_id, attempt, position, name, digest, materializer, type, size, created_at
) VALUES (
    :run, :task_id, :attempt, :position, :name, :digest, :materializer, :type, :size, :created_at
);

-- name: insert_read
INSERT INTO read (run, task_id, attempt, position, token, digest)
VALUES (:run, :task_id, :attempt, :position, :token, :digest);

-- Reading -------------------------------------------------------------------------------------

-- name: flows
SELECT f.name, f.created_at, n.runs, r.run_id AS last_run_id
FROM flow f
JOIN (SELECT flow, count(*) AS runs, max(key) AS newest FROM run GROUP BY flow) n ON n.flow = f.name
JOIN run r ON r.key = n.newest
ORDER BY r.key DESC;

-- name: runs
SELECT r.*, g.tag, g.is_system
FROM (
    SELECT * FROM run
    WHERE key < :before AND (:tag_count = 0 OR key IN (
        SELECT run FROM tag WHERE tag IN (:tags) GROUP BY run HAVING count(*) = :tag_count
    ))
    ORDER BY key DESC
    LIMIT :limit
) r
LEFT JOIN tag g ON g.run = r.key
ORDER BY r.key DESC;

-- name: runs_of_flow
SELECT r.*, g.tag, g.is_system
FROM (
    SELECT * FROM run
    WHERE flow = :flow AND key < :before AND (:tag_count = 0 OR key IN (
        SELECT run FROM tag WHERE tag IN (:tags) GROUP BY run HAVING count(*) = :tag_count
    ))
    ORDER BY key DESC
    LIMIT :limit
) r
LEFT JOIN tag g ON g.run = r.key
ORDER BY r.key DESC;

-- name: run
SELECT r.*, g.tag, g.is_system
FROM run r
LEFT JOIN tag g ON g.run = r.key
WHERE r.flow = :flow AND r.run_id = :run_id;

-- name: steps
SELECT step, status, count(*) AS tasks, min(task_id) AS first_id, min(created_at) AS created_at
FROM visible_task
WHERE flow = :flow AND run_id = :run_id
GROUP BY step, status;

-- name: tasks
SELECT * FROM visible_task
WHERE flow = :flow AND run_id = :run_id AND task_id < :before
ORDER BY task_id DESC
LIMIT :limit;

-- name: tasks_of_step
SELECT * FROM visible_task
WHERE flow = :flow AND run_id = :run_id AND step = :step AND task_id < :before
ORDER BY task_id DESC
LIMIT :limit;

-- name: task
SELECT * FROM visible_task WHERE flow = :flow AND run_id = :run_id AND task_id = :task_id;

-- name: children
SELECT v.*
FROM visible_task v
JOIN task_input i ON i.run = v.run AND i.task_id = v.task_id
WHERE v.flow = :flow AND v.run_id = :run_id AND i.input_id = :task_id
ORDER BY v.task_id;

-- name: attempts
SELECT t.step, a.*
FROM run r
JOIN task t ON t.run = r.key
JOIN attempt a ON a.run = t.run AND a.task_id = t.task_id
WHERE r.flow = :flow AND r.run_id = :run_id AND t.task_id = :task_id
ORDER BY a.attempt;

-- name: artifacts
SELECT r.flow, r.run_id, t.step, a.*
FROM run r
JOIN task t ON t.run = r.key
JOIN artifact a ON a.run = t.run AND a.task_id = t.task_id
WHERE r.flow = :flow AND r.run_id = :run_id AND t.task_id = :task_id AND a.attempt = :attempt
ORDER BY a.position;
