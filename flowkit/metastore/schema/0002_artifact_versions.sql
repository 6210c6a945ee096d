-- Named artifacts: versions, tags, aliases, metadata, and what runs took from outside.

-- Counts the versions ever made: keys follow the order of commits.
ALTER TABLE store ADD COLUMN versions INTEGER NOT NULL DEFAULT 0;

-- "next" is one more than the highest number ever used, also by a version that was deleted.
CREATE TABLE artifact_name (
    name TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    next BIGINT NOT NULL
);

-- "inline" is the root record in base64 when it is small. A deleted version keeps its row.
CREATE TABLE artifact_version (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL REFERENCES artifact_name (name),
    version TEXT NOT NULL,
    number BIGINT,
    digest TEXT NOT NULL,
    content TEXT,
    preview TEXT,
    materializer TEXT NOT NULL,
    type TEXT NOT NULL,
    size BIGINT NOT NULL,
    inline TEXT,
    artifact_type TEXT NOT NULL,
    attribute TEXT NOT NULL,
    code TEXT NOT NULL,
    run INTEGER,
    task_id BIGINT,
    attempt INTEGER,
    user_name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    deleted_at BIGINT,
    deleted_by TEXT,
    UNIQUE (name, version),
    FOREIGN KEY (run, task_id, attempt) REFERENCES attempt (run, task_id, attempt)
);

CREATE INDEX version_newest_of_name ON artifact_version (name, key);

CREATE INDEX version_by_digest ON artifact_version (digest);

CREATE TABLE version_tag (
    version INTEGER NOT NULL REFERENCES artifact_version (key),
    tag TEXT NOT NULL,
    PRIMARY KEY (version, tag)
);

CREATE INDEX version_tag_versions ON version_tag (tag, version);

-- What attempts published: new versions, and those that they took over as they were.
CREATE TABLE version_output (
    run INTEGER NOT NULL,
    task_id BIGINT NOT NULL,
    attempt INTEGER NOT NULL,
    version INTEGER NOT NULL REFERENCES artifact_version (key),
    attribute TEXT NOT NULL,
    PRIMARY KEY (run, task_id, attempt, version),
    FOREIGN KEY (run, task_id, attempt) REFERENCES attempt (run, task_id, attempt)
);

CREATE INDEX version_output_of ON version_output (version);

-- The history of aliases: the last move counts; a version of NULL takes the alias away.
CREATE TABLE alias_move (
    name TEXT NOT NULL REFERENCES artifact_name (name),
    alias TEXT NOT NULL,
    position INTEGER NOT NULL,
    version INTEGER REFERENCES artifact_version (key),
    user_name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (name, alias, position)
);

CREATE VIEW alias AS
SELECT m.name, m.alias, m.version
FROM alias_move m
WHERE m.version IS NOT NULL AND m.position = (
    SELECT max(n.position) FROM alias_move n WHERE n.name = m.name AND n.alias = m.alias
);

-- Metadata of anything, only ever added to; "subject" is a pathspec, or the id of a version.
CREATE TABLE annotation (
    subject TEXT NOT NULL,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    user_name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (subject, position)
);

-- What the external artifacts of a run stand for, decided when it started.
CREATE TABLE run_pin (
    run INTEGER NOT NULL REFERENCES run (key),
    attribute TEXT NOT NULL,
    version INTEGER REFERENCES artifact_version (key),
    digest TEXT NOT NULL,
    label TEXT NOT NULL,
    PRIMARY KEY (run, attribute)
);

CREATE INDEX run_pin_of ON run_pin (version);

-- Attempts that took over the result of another one: few, and looked up by that one.
CREATE INDEX attempt_by_origin ON attempt (origin) WHERE origin IS NOT NULL;

-- Every version with the task that made it.
CREATE VIEW known_version AS
SELECT v.*, r.flow, r.run_id, t.step
FROM artifact_version v
LEFT JOIN run r ON r.key = v.run
LEFT JOIN task t ON t.run = v.run AND t.task_id = v.task_id;

INSERT INTO schema_version (version, min_reader, min_writer, release) VALUES (2, 1, 2, '0.1.0');
