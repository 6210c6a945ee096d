-- What results depend on and what they read, so that an equal one can be found instead of run.
-- Nothing else refers to these tables: they can be emptied at any time.

CREATE TABLE trace_base (
    base TEXT PRIMARY KEY,
    flow TEXT NOT NULL,
    step TEXT NOT NULL,
    parts TEXT NOT NULL
);

CREATE INDEX trace_base_of_step ON trace_base (flow, step);

-- A shape is a set of tokens that a result with this base has read.
CREATE TABLE trace_shape (
    base TEXT NOT NULL REFERENCES trace_base (base),
    shape TEXT NOT NULL,
    tokens TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (base, shape)
);

-- "reads" has one identity per token of the shape.
CREATE TABLE trace (
    key TEXT PRIMARY KEY,
    base TEXT NOT NULL,
    shape TEXT NOT NULL,
    reads TEXT NOT NULL,
    changes TEXT NOT NULL,
    manifest TEXT NOT NULL,
    origin TEXT NOT NULL,
    hazards TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    FOREIGN KEY (base, shape) REFERENCES trace_shape (base, shape)
);

CREATE INDEX trace_of_base ON trace (base, created_at);

CREATE INDEX trace_by_origin ON trace (origin);

INSERT INTO schema_version (version, min_reader, min_writer, release) VALUES (4, 1, 3, '0.1.0');
