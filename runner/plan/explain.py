"""A plan in words: the order, what each phase waits for and why, and what happens if things go wrong."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping

from runner.base import durations
from runner.plan import graph, plan

_WIDTH = 80
_INDENT = 5


def text(made: plan.Plan) -> str:
    """Describe a plan on lines of 80 columns where its names allow it; phases of one number may run side by side."""
    steps = _steps(made)
    count = len(made.nodes)
    lines = [f"{made.blueprint} › {made.action}: {count} phase{'' if count == 1 else 's'}{_limit(made)}"]
    width = max((len(node.name) for node in made.nodes), default=0)
    for node in _in_order(made):
        lines += ["", f"{steps[node.id]:>3}. {node.name:<{width}}  {node.function}"]
        lines += [line for fact in _facts(node) for line in _wrapped(fact)]
    if made.defer is not None:
        lines += ["", f"last {made.defer.name:<{width}}  {made.defer.function}"]
        lines += _wrapped("whatever happened before")
        lines += [line for fact in _settings(made.defer) for line in _wrapped(fact)]
    if made.artifacts:
        lines += ["", *textwrap.wrap(f"artifacts: {', '.join(made.artifacts)}", _WIDTH)]
    return "\n".join(lines) + "\n"


def _in_order(made: plan.Plan) -> list[plan.PlanNode]:
    by_id = {node.id: node for node in made.nodes}
    return [by_id[name] for name in graph.order(_sources(made))]


def _sources(made: plan.Plan) -> Mapping[str, list[str]]:
    return {node.id: [edge.source for edge in node.edges] for node in made.nodes}


def _steps(made: plan.Plan) -> Mapping[str, int]:
    """Number the nodes: one more than the highest number among what a node waits for."""
    sources = _sources(made)
    steps: dict[str, int] = {}
    for name in graph.order(sources):
        steps[name] = 1 + max((steps[source] for source in sources[name]), default=0)
    return steps


def _limit(made: plan.Plan) -> str:
    return "" if made.timeout is None else f", at most {durations.text(made.timeout)}"


def _facts(node: plan.PlanNode) -> Iterator[str]:
    if node.description:
        yield node.description
    yield from _waits(node)
    yield from _settings(node)
    if node.revert is not None:
        yield f"undone by {node.revert.function} if the action fails later"
    if node.cleanup is not None:
        yield f"cleaned up by {node.cleanup.function} once it has started, whatever happens"


def _waits(node: plan.PlanNode) -> Iterator[str]:
    by_why: dict[plan.Why, list[plan.Edge]] = {}
    for edge in node.edges:
        by_why.setdefault(edge.why, []).append(edge)
    if not node.edges:
        yield "starts at once"
    if order := by_why.get(plan.Why.ORDER):
        yield f"after {_listed(order)} (order of the document)"
    if needs := by_why.get(plan.Why.NEEDS):
        yield f"after {_listed(needs)} (needs)"
    for edge in by_why.get(plan.Why.DATA, ()):
        yield f"after {edge.source} (reads {edge.detail})"


def _settings(node: plan.PlanNode) -> Iterator[str]:
    if node.timeout is not None:
        yield f"at most {durations.text(node.timeout)} for one attempt"
    if node.retry.limit:
        times = "once" if node.retry.limit == 1 else f"{node.retry.limit} times"
        yield f"tried again up to {times} on: {', '.join(node.retry.errors)}"


def _listed(edges: list[plan.Edge]) -> str:
    return ", ".join(edge.source for edge in edges)


def _wrapped(fact: str) -> list[str]:
    indent = " " * _INDENT
    return textwrap.wrap(
        fact,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
