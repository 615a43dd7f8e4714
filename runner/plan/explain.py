"""A plan in words: what would run, in which order and why, with which arguments, and what if things go wrong."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

import msgspec

from runner.base import durations
from runner.plan import measure, plan, wording
from runner.plan.foretell import Argument
from runner.plan.outlook import Decision, Outlook, Prospect

WIDTH = 80
_INDENT = 5
_MOST_KEYS = 12
_MOST_EXAMPLES = 3
_MOST_LINES = 4
_WIDEST_NAME = 16


def text(outlook: Outlook) -> str:
    """Describe a plan on lines of 80 columns where its names allow it; phases of one number may run side by side."""
    made = outlook.plan
    width = max((len(node.name) for node in made.nodes), default=0)
    lines = [f"{made.blueprint} › {made.action}: {_summary(outlook)}"]
    lines += [line for fact in _action_facts(outlook) for line in _wrapped(fact, 2)]
    for each in outlook.phases:
        marks = "  skipped" if each.decision is Decision.SKIPPED else ""
        lines += ["", f"{each.step:>3}. {each.node.name:<{width}}  {each.node.function}{marks}", *_phase(each)]
    if outlook.defer is not None:
        lines += ["", f"last {outlook.defer.node.name:<{width}}  {outlook.defer.node.function}"]
        lines += _wrapped("whatever happened before")
        lines += _phase(outlook.defer)
    if made.artifacts:
        lines += ["", *_wrapped(f"artifacts: {', '.join(made.artifacts)}", 0)]
        lines += [line for fact in _lost_artifacts(outlook) for line in _wrapped(fact, 2)]
    return "\n".join(lines) + "\n"


def _summary(outlook: Outlook) -> str:
    skipped = sum(each.decision is Decision.SKIPPED for each in outlook.phases)
    size = measure.total(outlook)
    facts = [
        wording.counted(len(outlook.phases), "phase") + (f", {skipped} skipped" if skipped else ""),
        "" if outlook.plan.timeout is None else f"at most {durations.text(outlook.plan.timeout)}",
        "" if size is None else f"{wording.size(size)} of data",
    ]
    return ", ".join(filter(None, facts))


def _action_facts(outlook: Outlook) -> Iterator[str]:
    concurrency = outlook.plan.concurrency
    if outlook.group is not None:
        busy = "waits for its turn" if concurrency.queue else "is refused"
        group = wording.value(outlook.group.value, 40)
        yield f'one run at a time in the group "{group}"; another one {busy}'
    if concurrency.max_parallel != plan.Concurrency().max_parallel:
        yield f"at most {concurrency.max_parallel} attempts side by side"


def _phase(found: Prospect) -> list[str]:
    lines = [line for fact in _facts(found) for line in _wrapped(fact)]
    return [*lines, *_argument_lines(found)]


def _facts(found: Prospect) -> Iterator[str]:
    node = found.node
    if node.description:
        yield node.description
    if found.decision is Decision.SKIPPED:
        yield f"skipped, since this is false: {node.when}"
        return
    if node.kind is plan.NodeKind.PHASE:
        yield from waits(node)
    if found.decision is Decision.OPEN:
        yield f"only if {node.when}: known when {wording.known_when(found.waits_for)}"
    elif node.when:
        yield f"runs, since this is true: {node.when}" if not found.problems else f"only if {node.when}"
    if node.foreach is not None:
        yield from _instances(found, node.foreach)
    yield from filter(None, (wording.limit(node), wording.retry(node.retry)))
    if node.tolerate:
        yield "if it fails, the action goes on and ends with a warning"
    if node.revert is not None:
        yield f"undone by {node.revert.function} if the action fails later"
    if node.cleanup is not None:
        yield f"cleaned up by {node.cleanup.function} once it has started, whatever happens"
    if found.size is not None:
        yield f"{wording.size(found.size)} of data"
    if found.way is not None:
        yield wording.way(found.way)
    yield from (
        f"will fail: {wording.problem(problem)}" for problem in found.problems if "argument" not in problem.context
    )


def waits(node: plan.PlanNode) -> Iterator[str]:
    """Say what a phase waits for, and why, in one fact each."""
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


def _instances(found: Prospect, foreach: plan.Foreach) -> Iterator[str]:
    items = wording.items(foreach)
    if found.instances is not None:
        keys = [instance.key for instance in found.instances]
        listed = f"one for each of {items}, {len(keys):,} now: {wording.names(keys, _MOST_KEYS)}"
        yield listed if keys else f"one for each of {items}: there is none, so nothing is called"
    elif found.items_from:
        yield f"one for each of {items}: known when {wording.known_when(found.items_from)}"
    else:
        yield f"one for each of {items}"
    if limits := wording.side_by_side(foreach):
        yield limits


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    """One argument as it is shown: under a heading, its value, and lines that say more."""

    heading: str
    name: str
    value: str
    more: Sequence[str] = ()


def _argument_lines(found: Prospect) -> Iterator[str]:
    if found.decision is Decision.SKIPPED:
        return
    rows = [_row(found, each) for each in found.arguments]
    width = min(_WIDEST_NAME, max((len(row.name) for row in rows), default=0))
    heading = ""
    for row in sorted(rows, key=lambda row: _HEADINGS.index(row.heading)):
        indent = " " * _INDENT + f"{row.heading if row.heading != heading else '':<7}" + f"{row.name:<{width}}  "
        heading = row.heading
        first, *further = wording.lines(row.value, max(20, WIDTH - len(indent)), _MOST_LINES) or [""]
        yield indent + first
        yield from (" " * len(indent) + line for line in further)
        for line in row.more:
            yield from _wrapped(line, len(indent))


_HEADINGS = ("with", "each", "later", "wrong")


def _row(found: Prospect, each: Argument) -> _Row:
    shown = wording.plain(each.value)
    if found.instances:
        return _row_of_instances(found, each.name, shown)
    if each.problem is not None:
        return _Row(heading="wrong", name=each.name, value=shown, more=[wording.problem(each.problem)])
    if each.later:
        return _Row(heading="later", name=each.name, value=shown, more=[f"known when {wording.known_when(each.later)}"])
    return _Row(heading="with", name=each.name, value=shown)


def _row_of_instances(found: Prospect, name: str, written: str) -> _Row:
    instances = found.instances or ()
    values = [next(each for each in instance.arguments if each.name == name) for instance in instances]
    wrong = [each.problem for each in values if each.problem is not None]
    if wrong:
        return _Row(heading="wrong", name=name, value=written, more=[wording.problem(wrong[0])])
    shown = [wording.plain(each.value) for each in values]
    later = [source for each in values for source in each.later]
    if later:
        return _Row(heading="later", name=name, value=written, more=[f"known when {wording.known_when(later)}"])
    if len(set(shown)) == 1:
        return _Row(heading="with", name=name, value=shown[0])
    examples = [
        f"{instance.key}: {wording.shortened(value, 48)}"
        for instance, value in list(zip(instances, shown, strict=True))[:_MOST_EXAMPLES]
    ]
    rest = [f"and {len(shown) - _MOST_EXAMPLES:,} more"] if len(shown) > _MOST_EXAMPLES else []
    return _Row(heading="each", name=name, value=examples[0], more=[*examples[1:], *rest])


def _lost_artifacts(outlook: Outlook) -> Iterator[str]:
    for name, values in outlook.artifacts.items():
        for each in values:
            if each.problem is not None:
                yield f"{name}.{each.name} will fail: {wording.problem(each.problem)}"


def _listed(edges: Sequence[plan.Edge]) -> str:
    return ", ".join(edge.source for edge in edges)


def _wrapped(fact: str, indent: int = _INDENT) -> list[str]:
    return textwrap.wrap(
        fact,
        WIDTH,
        initial_indent=" " * indent,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
