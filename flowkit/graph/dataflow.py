"""The artifacts of a flow before it runs: what each step finds, and the rules for named ones."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from flowkit.authoring.flowdecorators import schedule
from flowkit.authoring.flowdef import FlowDef
from flowkit.graph.access import Access, step_access
from flowkit.graph.graph import Graph, Node, NodeType
from flowkit.graph.problems import Problem, at_def
from flowkit.graph.sources import Sources


@dataclass(frozen=True, slots=True)
class _Found:
    """What a step finds: what may be there, what is, and whether anything else could be."""

    may: frozenset[str] = frozenset()
    must: frozenset[str] = frozenset()
    is_open: bool = False


class Dataflow:
    """What the steps of a flow assign and read, and what they find when they begin.

    Args:
        flow: The flow.
        graph: Its graph, which keeps all rules.
        sources: The sources that the graph was read from; read anew when omitted.
    """

    def __init__(self, flow: FlowDef, graph: Graph, sources: Sources | None = None) -> None:
        sources = sources or Sources()
        self._flow = flow
        self._graph = graph
        self.accesses: Mapping[str, Access] = {
            name: step_access(flow, step, sources) for name, step in flow.steps.items()
        }

    # --- named artifacts --------------------------------------------------------------------------

    def writers(self, attribute: str) -> list[str]:
        """Return the steps that may assign an attribute, in the order of definition."""
        return [name for name, access in self.accesses.items() if attribute in access.assigned]

    def held_back(self) -> dict[str, frozenset[str]]:
        """Return, by step, the named attributes that the join after it publishes instead.

        So it is when parallel branches assign the same one: only the join can tell which counts.
        """
        held: dict[str, frozenset[str]] = {}
        for _, steps, attribute in self._contested():
            for step in steps:
                held[step] = held.get(step, frozenset()) | {attribute}
        return held

    def _contested(self) -> Iterator[tuple[Node, list[str], str]]:
        """Yield splits, with the steps of more than one branch that assign a named attribute."""
        for node in self._graph.nodes.values():
            if node.type is not NodeType.SPLIT or node.matching_join is None:
                continue
            branches = [self._branch(target, node.matching_join) for target in node.targets]
            for attribute in self._flow.named:
                writing = set(self.writers(attribute))
                concerned = [branch & writing for branch in branches if branch & writing]
                if len(concerned) > 1:
                    yield node, sorted(set().union(*concerned)), attribute

    def _branch(self, first: str, join: str) -> set[str]:
        found: set[str] = set()
        pending = [first]
        while pending:
            name = pending.pop()
            if name != join and name not in found:
                found.add(name)
                pending += self._graph[name].targets
        return found

    # --- problems ---------------------------------------------------------------------------------

    def problems(self) -> list[Problem]:
        """Return what is certainly wrong."""
        found = [
            *self._named_under_foreach(),
            *self._named_in_branches(),
            *self._scheduled_versions(),
        ]
        return sorted(found, key=lambda one: (one.file != self._graph.file, one.file, one.line))

    def warnings(self) -> list[Problem]:
        """Return the reads of what no step assigns, or not on every way.

        They may still work: a helper that gets ``self``, or a property, can assign unseen.
        """
        found = self._begins()
        return [
            *self._never_assigned(),
            *(
                self._problem(
                    "maybe-unassigned",
                    name,
                    line,
                    f"step '{name}' reads self.{attribute}, not assigned on every way to it",
                )
                for name, access in self.accesses.items()
                for attribute, line in access.reads.items()
                if not access.is_open
                and not found[name].is_open
                and attribute not in found[name].must
                and (attribute in found[name].may or attribute in access.guarded)
            ),
        ]

    def _named_under_foreach(self) -> Iterator[Problem]:
        for attribute, declared in self._flow.named.items():
            for step in self.writers(attribute):
                is_inside = self._graph[step].is_inside_foreach
                if is_inside and declared.config and not declared.config.is_per_task:
                    yield self._at(
                        "named-in-foreach",
                        step,
                        attribute,
                        f"self.{attribute} is the artifact '{declared.artifact}' and is assigned "
                        f"under a foreach, in step '{step}': assign it in the join, or set "
                        "per_task=True",
                    )

    def _named_in_branches(self) -> Iterator[Problem]:
        for node, steps, attribute in self._contested():
            join = node.matching_join or ""
            if attribute not in self.accesses[join].assigned and not self.accesses[join].is_open:
                yield self._at(
                    "named-in-branches",
                    steps[0],
                    attribute,
                    f"self.{attribute} is the artifact '{self._flow.named[attribute].artifact}' "
                    f"and is assigned in parallel, in steps {', '.join(steps)}: assign it in the "
                    f"join '{join}' as well, which then makes the version",
                )

    def _scheduled_versions(self) -> Iterator[Problem]:
        if not any(isinstance(decorator, schedule) for decorator in self._flow.decorators):
            return
        for attribute, declared in self._flow.named.items():
            config = declared.config
            if config is not None and config.version is not None and not config.templates:
                line, file = self._graph.line, self._graph.file
                message = (
                    f"self.{attribute} has the version '{config.version}', and the flow runs on a "
                    "schedule: only its first run could make that. Leave the version out, and "
                    "let an alias point to the one that counts"
                )
                yield Problem("scheduled-version", "", line, file, message)

    def _never_assigned(self) -> Iterator[Problem]:
        found = self._begins()
        for name, access in self.accesses.items():
            before = found[name]
            if access.is_open or before.is_open:
                continue
            for attribute, line in access.reads.items():
                if attribute in before.may or attribute in access.guarded:
                    continue
                yield self._problem("never-assigned", name, line, self._message(name, attribute))

    def _message(self, step: str, attribute: str) -> str:
        message = f"step '{step}' reads self.{attribute}, which no step before it assigns"
        if self._graph[step].is_join and not self.accesses[step].merges:
            return f"{message} for a join: take it from one of the inputs, or merge them"
        return message

    def _at(self, rule: str, step: str, attribute: str, message: str) -> Problem:
        return self._problem(rule, step, self.accesses[step].assigned[attribute], message)

    def _problem(self, rule: str, step: str, line: int, message: str) -> Problem:
        return replace(at_def(rule, self._graph[step], message), line=line)

    # --- what steps find --------------------------------------------------------------------------

    def _begins(self) -> dict[str, _Found]:
        """Return what each step finds when it begins."""
        nodes = self._graph.nodes
        before = {name: _Found() for name in nodes}
        ends: dict[str, _Found] = {}
        is_changing = True
        while is_changing:
            is_changing = False
            for name, node in nodes.items():
                found = self._begin(node, ends)
                end = self._end(name, found)
                if before[name] != found or ends.get(name) != end:
                    before[name], ends[name], is_changing = found, end, True
        return before

    def _begin(self, node: Node, ends: Mapping[str, _Found]) -> _Found:
        known = [ends[name] for name in node.predecessors if name in ends]
        if node.is_join and not self.accesses[node.name].merges:
            return _Found()
        combine = frozenset.union if node.is_join else frozenset.intersection
        return _Found(
            may=frozenset().union(*(one.may for one in known)),
            must=combine(*(one.must for one in known)) if known else frozenset(),
            is_open=any(one.is_open for one in known),
        )

    def _end(self, name: str, found: _Found) -> _Found:
        access = self.accesses[name]
        return _Found(
            may=found.may | access.assigned.keys(),
            must=(found.must - access.deleted) | access.certain,
            is_open=found.is_open or access.is_open,
        )
