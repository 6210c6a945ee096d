-- Every statement that flowkit sends to a metadata database, by name, for SQLite and PostgreSQL.
-- :name is a parameter; a list stands for as many values as it has.

-- name: level
SELECT version, min_reader, min_writer, release
FROM schema_version
ORDER BY version DESC
LIMIT 1;

-- name: store
SELECT
    uuid, created_at,
    (SELECT count(*) FROM flow) AS flows,
    (SELECT count(*) FROM run) AS runs,
    (SELECT count(*) FROM task) AS tasks,
    (SELECT count(*) FROM attempt) AS attempts,
    (SELECT count(*) FROM artifact) AS artifacts
FROM store;

-- name: touch_store
UPDATE store SET runs = runs;

-- Runs and their lease ------------------------------------------------------------------------

-- name: next_run_of_flow
INSERT INTO flow (name, created_at, runs) VALUES (:flow, :now, 1)
ON CONFLICT (name) DO UPDATE SET runs = flow.runs + 1
RETURNING runs;

-- name: ensure_flow
INSERT INTO flow (name, created_at, runs) VALUES (:flow, :now, 0)
ON CONFLICT (name) DO NOTHING;

-- name: next_run_key
UPDATE store SET runs = runs + 1 RETURNING runs, sweeps;

-- name: run_of_token
SELECT key, run_id, sweeps_seen FROM run WHERE token = :token;

-- name: insert_run
INSERT INTO run (
    key, flow, run_id, token, status, user_name, root, created_at, origin_run_id, info,
    host, boot_id, pid, pid_start, epoch, heartbeat, sweeps_seen
) VALUES (
    :run, :flow, :run_id, :token, 'running', :user, :root, :now, :origin_run_id, :info,
    :host, :boot_id, :pid, :pid_start, 1, :now, :sweeps
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
UPDATE run SET heartbeat = :now, sweeps_seen = (SELECT sweeps FROM store)
WHERE key = :run AND epoch = :epoch AND status = 'running'
    AND ((SELECT sweeps FROM store) + 1) / 3 <= (sweeps_seen + 2) / 3
RETURNING sweeps_seen;

-- name: lease
SELECT flow, run_id, status, host, pid, epoch FROM run WHERE key = :run;

-- name: lease_of
SELECT key, token, status, created_at, host, boot_id, pid, pid_start, epoch, heartbeat
FROM run
WHERE flow = :flow AND run_id = :run_id;

-- name: take_over
UPDATE run
SET epoch = epoch + 1, host = :host, boot_id = :boot_id, pid = :pid, pid_start = :pid_start,
    heartbeat = :now, sweeps_seen = :sweeps
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
JOIN (
    SELECT flow, count(*) AS runs, max(key) AS newest FROM run WHERE deleted_at IS NULL GROUP BY flow
) n ON n.flow = f.name
JOIN run r ON r.key = n.newest
ORDER BY r.key DESC;

-- name: runs
SELECT r.*, g.tag, g.is_system
FROM (
    SELECT * FROM run
    WHERE deleted_at IS NULL AND key < :before
    ORDER BY key DESC
    LIMIT :limit
) r
LEFT JOIN tag g ON g.run = r.key
ORDER BY r.key DESC;

-- name: runs_of_flow
SELECT r.*, g.tag, g.is_system
FROM (
    SELECT * FROM run
    WHERE flow = :flow AND deleted_at IS NULL AND key < :before
    ORDER BY key DESC
    LIMIT :limit
) r
LEFT JOIN tag g ON g.run = r.key
ORDER BY r.key DESC;

-- One of the tags leads, so that a page takes no longer than its runs, however many have the tag.

-- name: tagged_runs
SELECT r.*, g.tag, g.is_system
FROM (
    SELECT n.* FROM tag d
    JOIN run n ON n.key = d.run
    WHERE d.tag = :tag AND d.run < :before AND n.deleted_at IS NULL AND :tag_count = (
        SELECT count(*) FROM tag o WHERE o.run = d.run AND o.tag IN (:tags)
    )
    ORDER BY d.run DESC
    LIMIT :limit
) r
LEFT JOIN tag g ON g.run = r.key
ORDER BY r.key DESC;

-- name: tagged_runs_of_flow
SELECT r.*, g.tag, g.is_system
FROM (
    SELECT n.* FROM tag d
    JOIN run n ON n.key = d.run
    WHERE n.flow = :flow AND d.tag = :tag AND d.run < :before AND n.deleted_at IS NULL
        AND :tag_count = (
            SELECT count(*) FROM tag o WHERE o.run = d.run AND o.tag IN (:tags)
        )
    ORDER BY d.run DESC
    LIMIT :limit
) r
LEFT JOIN tag g ON g.run = r.key
ORDER BY r.key DESC;

-- name: run
SELECT r.*, g.tag, g.is_system
FROM run r
LEFT JOIN tag g ON g.run = r.key
WHERE r.flow = :flow AND r.run_id = :run_id AND r.deleted_at IS NULL;

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

-- Artifact versions ---------------------------------------------------------------------------

-- name: lock_versions
UPDATE store SET versions = versions + 0;

-- name: next_version_key
UPDATE store SET versions = versions + 1 RETURNING versions;

-- name: next_number
INSERT INTO artifact_name (name, created_at, next) VALUES (:name, :now, 2)
ON CONFLICT (name) DO UPDATE SET next = artifact_name.next + 1
RETURNING next - 1 AS number;

-- name: ensure_name
INSERT INTO artifact_name (name, created_at, next) VALUES (:name, :now, :next)
ON CONFLICT (name) DO UPDATE SET next = excluded.next WHERE artifact_name.next < excluded.next;

-- name: insert_version
INSERT INTO artifact_version (
    key, id, name, version, number, digest, content, preview, materializer, type, size, inline,
    artifact_type, attribute, code, run, task_id, attempt, user_name, created_at
) VALUES (
    :key, :id, :name, :version, :number, :digest, :content, :preview, :materializer, :type, :size,
    :inline, :artifact_type, :attribute, :code, :run, :task_id, :attempt, :user, :now
);

-- name: insert_version_tag
INSERT INTO version_tag (version, tag) VALUES (:version, :tag) ON CONFLICT DO NOTHING;

-- name: delete_version_tag
DELETE FROM version_tag WHERE version = :version AND tag = :tag;

-- name: insert_version_output
INSERT INTO version_output (run, task_id, attempt, version, attribute)
VALUES (:run, :task_id, :attempt, :version, :attribute)
ON CONFLICT DO NOTHING;

-- name: copy_version_outputs
INSERT INTO version_output (run, task_id, attempt, version, attribute)
SELECT n.run, n.task_id, n.attempt, o.version, o.attribute
FROM attempt n
JOIN run r ON r.flow = :origin_flow AND r.run_id = :origin_run_id
JOIN version_output o ON o.run = r.key AND o.task_id = :origin_task_id
WHERE n.run = :run AND n.task_id = :task_id AND n.attempt = :attempt
ON CONFLICT DO NOTHING;

-- name: linked_version
SELECT v.*
FROM version_output o JOIN known_version v ON v.key = o.version
WHERE o.run = :run AND o.task_id = :task_id AND o.attempt = :attempt
    AND o.attribute = :attribute AND v.name = :name AND v.deleted_at IS NULL
ORDER BY v.key DESC
LIMIT 1;

-- name: version_with_digest
SELECT *
FROM known_version
WHERE name = :name AND digest = :digest AND deleted_at IS NULL
ORDER BY key DESC
LIMIT 1;

-- name: insert_alias_move
INSERT INTO alias_move (name, alias, position, version, user_name, created_at)
VALUES (:name, :alias, :position, :version, :user, :now);

-- name: alias_moves
SELECT m.alias, m.position, v.version, v.id, m.user_name, m.created_at
FROM alias_move m
LEFT JOIN artifact_version v ON v.key = m.version
WHERE m.name = :name
ORDER BY m.created_at, m.alias, m.position;

-- name: last_alias_move
SELECT position, version FROM alias_move
WHERE name = :name AND alias = :alias
ORDER BY position DESC
LIMIT 1;

-- name: delete_version
UPDATE artifact_version SET deleted_at = :now, deleted_by = :user, inline = NULL
WHERE id = :id AND deleted_at IS NULL;

-- name: last_annotation
SELECT coalesce(max(position), 0) AS position FROM annotation WHERE subject = :subject;

-- name: insert_annotation
INSERT INTO annotation (subject, position, name, value, user_name, created_at)
VALUES (:subject, :position, :name, :value, :user, :now);

-- name: insert_pin
INSERT INTO run_pin (run, attribute, version, digest, label)
VALUES (:run, :attribute, (SELECT key FROM artifact_version WHERE id = :version_id), :digest, :label);

-- name: versions_at_attribute
SELECT v.id
FROM version_output o JOIN artifact_version v ON v.key = o.version
WHERE o.run = :run AND o.attribute = :attribute AND v.digest = :digest
UNION
SELECT v.id
FROM run_pin p JOIN artifact_version v ON v.key = p.version
WHERE p.run = :run AND p.attribute = :attribute AND v.digest = :digest;

-- name: user_of_run
SELECT user_name FROM run WHERE key = :run;

-- Reading artifact versions -------------------------------------------------------------------

-- name: artifact_names
SELECT
    n.name, n.created_at, n.next,
    (
        SELECT count(*) FROM artifact_version v WHERE v.name = n.name AND v.deleted_at IS NULL
    ) AS versions,
    (
        SELECT max(v.key) FROM artifact_version v WHERE v.name = n.name AND v.deleted_at IS NULL
    ) AS newest
FROM artifact_name n
WHERE n.name > :after
ORDER BY n.name
LIMIT :limit;

-- name: artifact_named
SELECT n.name, n.created_at, n.next, count(v.key) AS versions, max(v.key) AS newest
FROM artifact_name n
LEFT JOIN artifact_version v ON v.name = n.name AND v.deleted_at IS NULL
WHERE n.name = :name
GROUP BY n.name, n.created_at, n.next;

-- name: version_texts
SELECT key, version FROM artifact_version WHERE key IN (:keys);

-- name: versions
SELECT * FROM known_version
WHERE key < :before
    AND (:version = '' OR version = :version)
    AND (:artifact_type = '' OR artifact_type = :artifact_type)
    AND (:with_deleted = 1 OR deleted_at IS NULL)
ORDER BY key DESC
LIMIT :limit;

-- name: tagged_versions
SELECT k.*
FROM version_tag d
JOIN known_version k ON k.key = d.version
WHERE d.tag = :tag AND d.version < :before
    AND (:version = '' OR k.version = :version)
    AND (:artifact_type = '' OR k.artifact_type = :artifact_type)
    AND (:with_deleted = 1 OR k.deleted_at IS NULL)
    AND :tag_count = (
        SELECT count(*) FROM version_tag o WHERE o.version = d.version AND o.tag IN (:tags)
    )
ORDER BY d.version DESC
LIMIT :limit;

-- name: versions_of_name
SELECT * FROM known_version
WHERE name = :name AND key < :before
    AND (:version = '' OR version = :version)
    AND (:artifact_type = '' OR artifact_type = :artifact_type)
    AND (:with_deleted = 1 OR deleted_at IS NULL)
    AND (:tag_count = 0 OR :tag_count = (
        SELECT count(*) FROM version_tag o WHERE o.version = known_version.key AND o.tag IN (:tags)
    ))
ORDER BY key DESC
LIMIT :limit;

-- name: version_named
SELECT * FROM known_version WHERE name = :name AND version = :version;

-- name: version_highest
SELECT * FROM known_version
WHERE name = :name AND number IS NOT NULL AND deleted_at IS NULL
ORDER BY number DESC
LIMIT 1;

-- name: version_at_alias
SELECT k.* FROM alias a JOIN known_version k ON k.key = a.version
WHERE a.name = :name AND a.alias = :alias;

-- name: versions_with_prefix
SELECT * FROM known_version WHERE id >= :prefix AND id < :end ORDER BY id LIMIT :limit;

-- name: outputs_of_run
SELECT o.task_id AS by_task, o.attempt AS by_attempt, o.attribute AS by_attribute, k.*
FROM run r
JOIN version_output o ON o.run = r.key
JOIN known_version k ON k.key = o.version
WHERE r.flow = :flow AND r.run_id = :run_id
ORDER BY k.key;

-- name: tags_of_versions
SELECT version, tag FROM version_tag WHERE version IN (:keys) ORDER BY tag;

-- name: aliases_of_versions
SELECT version, alias FROM alias WHERE version IN (:keys) ORDER BY alias;

-- name: annotations_of
SELECT subject, position, name, value, user_name, created_at
FROM annotation
WHERE subject IN (:subjects)
ORDER BY subject, position;

-- name: pins
SELECT p.attribute, p.digest, p.label, v.id AS version_id
FROM run r
JOIN run_pin p ON p.run = r.key
LEFT JOIN artifact_version v ON v.key = p.version
WHERE r.flow = :flow AND r.run_id = :run_id
ORDER BY p.attribute;

-- name: pinned_by
SELECT r.flow, r.run_id, p.attribute
FROM artifact_version v
JOIN run_pin p ON p.version = v.key
JOIN run r ON r.key = p.run
WHERE v.id = :id
ORDER BY r.key;

-- Lineage -------------------------------------------------------------------------------------

-- name: places_of_version
SELECT DISTINCT o.run, o.attribute
FROM artifact_version v JOIN version_output o ON o.version = v.key
WHERE v.id = :id
UNION
SELECT DISTINCT p.run, p.attribute
FROM artifact_version v JOIN run_pin p ON p.version = v.key
WHERE v.id = :id;

-- name: readers_in_runs
SELECT r.flow, r.run_id, t.step, d.run, d.task_id, d.attempt, d.token, a.origin
FROM read d
JOIN run r ON r.key = d.run
JOIN task t ON t.run = d.run AND t.task_id = d.task_id
JOIN attempt a ON a.run = d.run AND a.task_id = d.task_id AND a.attempt = d.attempt
WHERE d.digest = :digest AND d.run IN (:keys)
ORDER BY d.run, d.task_id, d.attempt, d.position;

-- The token leads: a digest may have been read very often, and is made no use of in an index.

-- name: readers_by_token
SELECT r.flow, r.run_id, t.step, d.run, d.task_id, d.attempt, d.token, a.origin
FROM read d
JOIN run r ON r.key = d.run
JOIN task t ON t.run = d.run AND t.task_id = d.task_id
JOIN attempt a ON a.run = d.run AND a.task_id = d.task_id AND a.attempt = d.attempt
WHERE d.token = :token AND substr(d.token, 1, 8) = 'artifact' AND d.digest || '' = :digest
ORDER BY d.run, d.task_id, d.attempt, d.position;

-- name: attempts_from_origins
SELECT r.flow, r.run_id, t.step, a.run, a.task_id, a.attempt, a.origin
FROM attempt a
JOIN run r ON r.key = a.run
JOIN task t ON t.run = a.run AND t.task_id = a.task_id
WHERE a.origin IN (:origins)
ORDER BY a.run, a.task_id, a.attempt;

-- name: reads
SELECT d.token, d.digest
FROM run r
JOIN read d ON d.run = r.key
WHERE r.flow = :flow AND r.run_id = :run_id AND d.task_id = :task_id AND d.attempt = :attempt
ORDER BY d.position;

-- name: writers_in_run
SELECT r.flow, r.run_id, t.step, w.*
FROM run r
JOIN artifact w ON w.run = r.key
JOIN task t ON t.run = w.run AND t.task_id = w.task_id
WHERE r.flow = :flow AND r.run_id = :run_id AND w.name = :name AND w.digest = :digest
ORDER BY w.task_id, w.attempt;

-- name: origins_of_run
SELECT a.origin
FROM run r
JOIN attempt a ON a.run = r.key
WHERE r.flow = :flow AND r.run_id = :run_id AND a.origin IS NOT NULL
ORDER BY a.task_id, a.attempt;

-- Garbage collection --------------------------------------------------------------------------

-- name: lock_sweeps
UPDATE store SET sweeps = sweeps RETURNING sweeps;

-- name: set_sweeps
UPDATE store SET sweeps = :sweeps;

-- name: counters
SELECT runs, versions, sweeps FROM store;

-- name: run_roots
SELECT key, flow, run_id, root FROM run
WHERE deleted_at IS NULL AND (key > :after OR key IN (:keys))
ORDER BY key;

-- name: manifest_roots
SELECT DISTINCT run, manifest FROM attempt
WHERE manifest IS NOT NULL AND (run > :after OR run IN (:keys));

-- name: version_roots
SELECT key, name, version, digest, content, preview, materializer, type, size, inline
FROM artifact_version
WHERE deleted_at IS NULL AND key > :after
ORDER BY key;

-- name: running_runs
SELECT key, flow, run_id, token, created_at, host, boot_id, pid, pid_start, heartbeat, sweeps_seen
FROM run
WHERE status = 'running'
ORDER BY key;

-- name: insert_blob_pin
INSERT INTO blob_pin (digest, run) VALUES (:digest, :run) ON CONFLICT DO NOTHING;

-- name: blob_pins
SELECT DISTINCT digest FROM blob_pin WHERE run IN (:keys);

-- name: drop_blob_pins
DELETE FROM blob_pin WHERE run NOT IN (SELECT key FROM run WHERE status = 'running');

-- name: insert_tombstone
INSERT INTO tombstone (digest, created_at) VALUES (:digest, :now) ON CONFLICT DO NOTHING;

-- name: tombstones
SELECT digest FROM tombstone ORDER BY digest;

-- name: delete_tombstone
DELETE FROM tombstone WHERE digest = :digest;

-- name: collector
SELECT token, host, boot_id, pid, pid_start, started_at, heartbeat FROM collector;

-- name: delete_collector
DELETE FROM collector WHERE token = :token;

-- name: insert_collector
INSERT INTO collector (one, token, host, boot_id, pid, pid_start, started_at, heartbeat)
VALUES (1, :token, :host, :boot_id, :pid, :pid_start, :now, :now)
ON CONFLICT DO NOTHING;

-- name: collector_sign
UPDATE collector SET heartbeat = :now WHERE token = :token;

-- Deleting runs -------------------------------------------------------------------------------

-- name: run_to_delete
SELECT key, flow, run_id, token, status, host, boot_id, pid, pid_start, heartbeat
FROM run
WHERE flow = :flow AND run_id = :run_id AND deleted_at IS NULL;

-- name: versions_from_run
SELECT name, version FROM artifact_version WHERE run = :run AND deleted_at IS NULL ORDER BY key;

-- name: aliases_from_run
SELECT a.name, a.alias
FROM artifact_version v JOIN alias a ON a.version = v.key
WHERE v.run = :run
ORDER BY a.name, a.alias;

-- name: resumed_by
SELECT key, flow, run_id, status, token, host, boot_id, pid, pid_start, heartbeat
FROM run
WHERE flow = :flow AND origin_run_id = :run_id AND deleted_at IS NULL
ORDER BY key;

-- name: sources_in_run
SELECT count(*) AS found FROM artifact_version WHERE run = :run;

-- name: delete_reads
DELETE FROM read WHERE run = :run;

-- name: delete_artifacts
DELETE FROM artifact WHERE run = :run;

-- name: delete_version_outputs
DELETE FROM version_output WHERE run = :run;

-- name: delete_attempts
DELETE FROM attempt WHERE run = :run AND NOT EXISTS (
    SELECT 1 FROM artifact_version v
    WHERE v.run = attempt.run AND v.task_id = attempt.task_id AND v.attempt = attempt.attempt
);

-- name: empty_attempts
UPDATE attempt SET manifest = NULL, error = NULL WHERE run = :run;

-- name: delete_task_inputs
DELETE FROM task_input WHERE run = :run;

-- name: delete_tasks
DELETE FROM task WHERE run = :run AND NOT EXISTS (
    SELECT 1 FROM attempt a WHERE a.run = task.run AND a.task_id = task.task_id
);

-- name: delete_tags
DELETE FROM tag WHERE run = :run;

-- name: delete_run_pins
DELETE FROM run_pin WHERE run = :run;

-- name: delete_blob_pins
DELETE FROM blob_pin WHERE run = :run;

-- name: delete_annotations
DELETE FROM annotation WHERE subject = :subject OR substr(subject, 1, :length) = :below;

-- name: delete_run
DELETE FROM run WHERE key = :run;

-- name: mark_run_deleted
UPDATE run SET deleted_at = :now, deleted_by = :user WHERE key = :run;

-- Traces of results that may be reused ----------------------------------------------------------

-- name: insert_trace_base
INSERT INTO trace_base (base, flow, step, parts) VALUES (:base, :flow, :step, :parts)
ON CONFLICT (base) DO NOTHING;

-- name: insert_trace_shape
INSERT INTO trace_shape (base, shape, tokens, created_at) VALUES (:base, :shape, :tokens, :now)
ON CONFLICT (base, shape) DO UPDATE SET created_at = :now;

-- name: insert_trace
INSERT INTO trace (key, base, shape, reads, changes, manifest, origin, hazards, created_at)
VALUES (:key, :base, :shape, :reads, :changes, :manifest, :origin, :hazards, :now)
ON CONFLICT (key) DO UPDATE SET
    changes = excluded.changes, manifest = excluded.manifest, origin = excluded.origin,
    hazards = excluded.hazards, created_at = excluded.created_at;

-- name: trace_shapes
SELECT tokens FROM trace_shape WHERE base = :base ORDER BY created_at DESC LIMIT :limit;

-- name: trace_with_key
SELECT t.*, s.tokens, b.flow, b.step, b.parts
FROM trace t
JOIN trace_shape s ON s.base = t.base AND s.shape = t.shape
JOIN trace_base b ON b.base = t.base
WHERE t.key IN (:keys)
ORDER BY t.created_at DESC;

-- name: trace_of_task
SELECT t.*, s.tokens, b.flow, b.step, b.parts
FROM trace t
JOIN trace_shape s ON s.base = t.base AND s.shape = t.shape
JOIN trace_base b ON b.base = t.base
WHERE t.origin = :origin
ORDER BY t.created_at DESC;

-- name: traces
SELECT t.*, s.tokens, b.flow, b.step, b.parts
FROM trace t
JOIN trace_shape s ON s.base = t.base AND s.shape = t.shape
JOIN trace_base b ON b.base = t.base
ORDER BY t.created_at DESC, t.key
LIMIT :limit;

-- name: traces_of_flow
SELECT t.*, s.tokens, b.flow, b.step, b.parts
FROM trace t
JOIN trace_shape s ON s.base = t.base AND s.shape = t.shape
JOIN trace_base b ON b.base = t.base
WHERE b.flow = :flow
ORDER BY t.created_at DESC, t.key
LIMIT :limit;

-- name: traces_of_step
SELECT t.*, s.tokens, b.flow, b.step, b.parts
FROM trace t
JOIN trace_shape s ON s.base = t.base AND s.shape = t.shape
JOIN trace_base b ON b.base = t.base
WHERE b.flow = :flow AND b.step = :step
ORDER BY t.created_at DESC, t.key
LIMIT :limit;

-- name: delete_traces_of_flow
DELETE FROM trace WHERE base IN (SELECT base FROM trace_base WHERE flow = :flow);

-- name: delete_trace_shapes_of_flow
DELETE FROM trace_shape WHERE base IN (SELECT base FROM trace_base WHERE flow = :flow);

-- name: delete_trace_bases_of_flow
DELETE FROM trace_base WHERE flow = :flow;

-- name: delete_traces_of_step
DELETE FROM trace WHERE base IN (
    SELECT base FROM trace_base WHERE flow = :flow AND step = :step
);

-- name: delete_trace_shapes_of_step
DELETE FROM trace_shape WHERE base IN (
    SELECT base FROM trace_base WHERE flow = :flow AND step = :step
);

-- name: delete_trace_bases_of_step
DELETE FROM trace_base WHERE flow = :flow AND step = :step;

-- Runs on their way to another store ------------------------------------------------------------

-- name: run_to_copy
SELECT
    key, flow, run_id, token, status, user_name, root, created_at, finished_at, origin_run_id, info,
    host, boot_id, pid, pid_start, epoch, heartbeat
FROM run
WHERE flow = :flow AND run_id = :run_id AND deleted_at IS NULL;

-- name: tag_rows
SELECT tag, is_system FROM tag WHERE run = :run ORDER BY is_system DESC, tag;

-- name: task_rows
SELECT task_id, step, created_at, frames, iteration, inputs, gang_rank
FROM task
WHERE run = :run
ORDER BY task_id;

-- name: attempt_rows
SELECT
    task_id, attempt, status, manifest, error, started_at, finished_at, log_start, log_end, origin
FROM attempt
WHERE run = :run
ORDER BY task_id, attempt;

-- name: artifact_rows
SELECT task_id, attempt, position, name, digest, materializer, type, size, created_at
FROM artifact
WHERE run = :run
ORDER BY task_id, attempt, position;

-- name: read_rows
SELECT task_id, attempt, position, token, digest
FROM read
WHERE run = :run
ORDER BY task_id, attempt, position;

-- name: annotation_rows
SELECT subject, position, name, value, user_name, created_at
FROM annotation
WHERE subject = :subject OR substr(subject, 1, :length) = :below
ORDER BY subject, position;

-- name: pin_rows
SELECT p.attribute, v.id AS version, p.digest, p.label
FROM run_pin p
LEFT JOIN artifact_version v ON v.key = p.version
WHERE p.run = :run
ORDER BY p.attribute;

-- name: output_rows
SELECT o.task_id, o.attempt, v.id AS version, o.attribute
FROM version_output o
JOIN artifact_version v ON v.key = o.version
WHERE o.run = :run
ORDER BY o.task_id, o.attempt, v.key;

-- Only what this run made is said to come from one of its attempts.

-- name: version_rows
SELECT
    key, id, name, version, number, digest, content, preview, materializer, type, size, inline,
    artifact_type, attribute, code,
    CASE WHEN run = :run THEN task_id END AS task_id,
    CASE WHEN run = :run THEN attempt END AS attempt,
    user_name, created_at, deleted_at, deleted_by
FROM artifact_version
WHERE run = :run
    OR key IN (SELECT version FROM version_output WHERE run = :run)
    OR key IN (SELECT version FROM run_pin WHERE run = :run)
ORDER BY key;

-- name: version_tag_rows
SELECT v.id AS version, t.tag
FROM version_tag t
JOIN artifact_version v ON v.key = t.version
WHERE t.version IN (:keys)
ORDER BY v.key, t.tag;

-- name: version_annotation_rows
SELECT subject AS version, position, name, value, user_name, created_at
FROM annotation
WHERE subject IN (:ids)
ORDER BY subject, position;

-- name: alias_rows
SELECT v.id AS version, m.alias, m.user_name, m.created_at
FROM alias_move m
JOIN artifact_version v ON v.key = m.version
WHERE m.version IN (:keys) AND m.position = (
    SELECT max(n.position) FROM alias_move n WHERE n.name = m.name AND n.alias = m.alias
)
ORDER BY v.key, m.alias;

-- Runs that come from another store: hidden, as deleted ones are, until they are whole. Only they
-- have a deleted_at of 0, and a run id that no run can have.

-- name: run_with_token
SELECT
    key, run_id, status, deleted_at, deleted_by, sweeps_seen, created_at, host, boot_id, pid,
    pid_start, epoch, heartbeat
FROM run
WHERE token = :token;

-- name: insert_arrival
INSERT INTO run (
    key, flow, run_id, token, status, user_name, root, created_at, info, host, boot_id, pid,
    pid_start, epoch, heartbeat, sweeps_seen, deleted_at
) VALUES (
    :run, :flow, :run_id, :token, 'running', '', '', :now, '{}', :host, :boot_id, :pid,
    :pid_start, 1, :now, :sweeps, 0
);

-- name: lock_flow
UPDATE flow SET runs = runs WHERE name = :flow;

-- name: raise_runs
UPDATE flow SET runs = :number WHERE name = :flow AND runs < :number;

-- name: show_run
UPDATE run
SET run_id = :run_id, status = :status, user_name = :user_name, root = :root,
    created_at = :created_at, finished_at = :finished_at, origin_run_id = :origin_run_id,
    info = :info, host = :host, boot_id = :boot_id, pid = :pid, pid_start = :pid_start,
    epoch = :epoch, heartbeat = :heartbeat, deleted_at = NULL
WHERE key = :run;

-- name: insert_past_attempt
INSERT INTO attempt (
    run, task_id, attempt, status, manifest, error, started_at, finished_at, log_start, log_end,
    origin
) VALUES (
    :run, :task_id, :attempt, :status, :manifest, :error, :started_at, :finished_at, :log_start,
    :log_end, :origin
);

-- name: set_version_source
UPDATE artifact_version SET run = :run, task_id = :task_id, attempt = :attempt
WHERE key = :key AND run IS NULL;

-- name: delete_arrival
DELETE FROM run WHERE key = :run AND deleted_at = 0;

-- name: insert_pin_of_key
INSERT INTO run_pin (run, attribute, version, digest, label)
VALUES (:run, :attribute, :version, :digest, :label);

-- Claims on results that are being computed ------------------------------------------------------

-- name: insert_claim
INSERT INTO claim (key, run, epoch, task_id) VALUES (:key, :run, :epoch, :task_id)
ON CONFLICT (key) DO NOTHING;

-- name: claim_holder
SELECT
    c.run AS claimed_by, c.epoch AS claimed_in, r.flow, r.run_id, r.token, r.status, r.epoch,
    r.host, r.boot_id, r.pid, r.pid_start, r.heartbeat
FROM claim c
LEFT JOIN run r ON r.key = c.run
WHERE c.key = :key;

-- name: take_claim
UPDATE claim SET run = :run, epoch = :epoch, task_id = :task_id
WHERE key = :key AND run = :claimed_by AND epoch = :claimed_in;

-- name: delete_claims_of_task
DELETE FROM claim WHERE run = :run AND task_id = :task_id;

-- name: delete_claims_of_run
DELETE FROM claim WHERE run = :run;
