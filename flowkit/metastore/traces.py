"""Traces as rows: written with the attempts that leave them, found by key."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

from flowkit.content.hashing import digest_of
from flowkit.metastore.claims import claim_results
from flowkit.metastore.database import Row, Session, Snapshots, Transactions
from flowkit.metastore.lease import LockDirectory
from flowkit.metastore.rows import to_json
from flowkit.model.records import AttemptOutcome, RunLease
from flowkit.model.traces import Change, Trace, TraceBase

_SHAPES = 16
"""How many ways through a step's code are tried."""


class SqlTraceReader:
    """The `TraceReader` of every SQL database."""

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots

    def shapes(self, base: str) -> Sequence[tuple[str, ...]]:
        """Return the sets of tokens that were read; see `TraceReader.shapes`."""
        found = self._query("trace_shapes", {"base": base, "limit": _SHAPES})
        return [tuple(json.loads(row["tokens"])) for row in found]

    def find(self, keys: Sequence[str]) -> Trace | None:
        """Return the newest of these; see `TraceReader.find`."""
        found = self._query("trace_with_key", {"keys": list(keys)}) if keys else ()
        return next(map(_trace, found), None)

    def recent(
        self, flow: str | None = None, step: str | None = None, *, limit: int = 20
    ) -> Sequence[Trace]:
        """Return the newest traces; see `TraceReader.recent`."""
        name = "traces" if flow is None else "traces_of_flow"
        name = name if step is None else "traces_of_step"
        return [
            _trace(row) for row in self._query(name, {"flow": flow, "step": step, "limit": limit})
        ]

    def of_task(self, pathspec: str) -> Trace | None:
        """Return a task's trace; see `TraceReader.of_task`."""
        return next(map(_trace, self._query("trace_of_task", {"origin": pathspec})), None)

    def _query(self, name: str, params: dict[str, object]) -> Sequence[Row]:
        return self._snapshots.read(lambda session: session.query(name, params))


class SqlTraceWriter:
    """The `TraceWriter` of every SQL database."""

    def __init__(self, transactions: Transactions, locks: LockDirectory) -> None:
        self._transactions = transactions
        self._locks = locks

    def claim(self, lease: RunLease, wanted: Mapping[int, Sequence[str]]) -> Mapping[int, str]:
        """Claim what tasks are about to compute; see `TraceWriter.claim`."""
        return self._transactions.write(
            lambda session: claim_results(session, self._locks, lease, wanted)
        )

    def delete(self, flow: str, step: str | None = None) -> int:
        """Forget traces; see `TraceWriter.delete`."""

        def work(session: Session) -> int:
            which = {"flow": flow, "step": step}
            name = "flow" if step is None else "step"
            count = session.execute(f"delete_traces_of_{name}", which)
            session.execute(f"delete_trace_shapes_of_{name}", which)
            session.execute(f"delete_trace_bases_of_{name}", which)
            return count

        return self._transactions.write(work)


def insert_traces(session: Session, outcomes: Iterable[AttemptOutcome]) -> None:
    """Keep the traces of attempts, in the transaction that ends them; the newest result wins."""
    traces = [outcome.trace for outcome in outcomes if outcome.trace is not None]
    now = session.now() if traces else 0
    for trace in traces:
        base = trace.base
        session.execute(
            "insert_trace_base",
            {
                "base": base.digest,
                "flow": base.flow,
                "step": base.step,
                "parts": to_json(dict(base.parts)),
            },
        )
        tokens = to_json(sorted(trace.reads))
        row = {
            "key": trace.key,
            "base": base.digest,
            "shape": digest_of(tokens.encode()),
            "tokens": tokens,
            "now": now,
        }
        session.execute("insert_trace_shape", row)
        session.execute(
            "insert_trace",
            {
                **row,
                "reads": to_json([trace.reads[token] for token in sorted(trace.reads)]),
                "changes": to_json([asdict(change) for change in trace.changes]),
                "manifest": trace.manifest,
                "origin": trace.origin,
                "hazards": to_json(trace.hazards),
            },
        )


def _trace(row: Row) -> Trace:
    reads = zip(json.loads(row["tokens"]), json.loads(row["reads"]), strict=True)
    return Trace(
        key=row["key"],
        base=TraceBase(row["base"], row["flow"], row["step"], json.loads(row["parts"])),
        reads=dict(reads),
        changes=tuple(_change(fields) for fields in json.loads(row["changes"])),
        manifest=row["manifest"],
        origin=row["origin"],
        hazards=tuple(json.loads(row["hazards"])),
        created_at=row["created_at"],
    )


def _change(fields: dict[str, object]) -> Change:
    listed = {name: tuple(value) for name, value in fields.items() if isinstance(value, list)}
    return Change(**{**fields, **listed})  # type: ignore[arg-type] # as it was written
