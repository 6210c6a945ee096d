-- Indexes for what readers ask of a store with very many runs; only these change.

-- Without deleted runs, so that counting a flow's runs reads nothing but the index.
DROP INDEX run_newest_of_flow;

CREATE INDEX run_newest_of_flow ON run (flow, key) WHERE deleted_at IS NULL;

-- Very many runs may write and read one value: true, 0, a name.
DROP INDEX artifact_by_digest;

CREATE INDEX artifact_by_digest ON artifact (digest, run, task_id, attempt);

DROP INDEX read_by_digest;

CREATE INDEX read_by_digest ON read (digest, run, task_id, attempt, position);

-- Reads that named the version itself: few.
CREATE INDEX read_of_version ON read (token) WHERE substr(token, 1, 8) = 'artifact';

CREATE INDEX version_from_attempt ON artifact_version (run, task_id, attempt);

CREATE INDEX alias_move_of_version ON alias_move (version);

INSERT INTO schema_version (version, min_reader, min_writer, release) VALUES (5, 1, 3, '0.1.0');
