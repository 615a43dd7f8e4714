"""What a picture of a plan shows: boxes and links made from an outlook."""

from __future__ import annotations

from collections.abc import Iterator

from runner.base import durations
from runner.plan import compile, measure, plan, wording
from runner.plan.drawing.picture import Badge, Box, Kind, Link, Picture, Tone, Undo
from runner.plan.outlook import Decision, Outlook, Prospect

_LONGEST_CONDITION = 26
_MOST_KEYS = 20


def picture(outlook: Outlook) -> Picture:
    """Return the picture of a plan that has not run."""
    made = outlook.plan
    prospects = [*outlook.phases, *([outlook.defer] if outlook.defer is not None else [])]
    artifacts = ", ".join(made.artifacts)
    return Picture(
        title=f"{made.blueprint} › {made.action}",
        subtitle=_summary(outlook),
        description=_described(outlook),
        boxes=tuple(_box(each) for each in prospects),
        links=tuple(_links(made)),
        steps=(*map(str, range(1, _steps(outlook) + 1)), *(["last"] if outlook.defer is not None else [])),
        notes=(f"artifacts: {artifacts}",) if artifacts else (),
    )


def _steps(outlook: Outlook) -> int:
    return max((each.step for each in outlook.phases), default=0)


def _summary(outlook: Outlook) -> str:
    made = outlook.plan
    size = measure.total(outlook)
    facts = [
        f"{wording.counted(len(outlook.phases), 'phase')} in {wording.counted(_steps(outlook), 'step')}",
        "" if made.timeout is None else f"at most {durations.text(made.timeout)}",
        "" if size is None else f"{wording.size(size)} of data",
        "" if outlook.group is None else f"one at a time in {wording.value(outlook.group.value, 32)}",
    ]
    return "  ·  ".join(filter(None, facts))


def _described(outlook: Outlook) -> str:
    """Say what the picture shows, for people who cannot see it."""
    sentences = [f"The plan of the action {outlook.plan.action} of the blueprint {outlook.plan.blueprint}."]
    for each in outlook.phases:
        sources = wording.joined(edge.source for edge in each.node.edges)
        when = f"after {sources}" if sources else "at once"
        skipped = ", skipped" if each.decision is Decision.SKIPPED else ""
        sentences.append(f"{each.node.name} ({each.node.function}{skipped}): {when}.")
    if outlook.defer is not None:
        sentences.append(f"{outlook.defer.node.name} ({outlook.defer.node.function}): last, whatever happened.")
    return " ".join(sentences)


def _links(made: plan.Plan) -> Iterator[Link]:
    for node in made.nodes:
        for edge in node.edges:
            reason = {
                plan.Why.ORDER: f"{node.name} comes after {edge.source} in the document",
                plan.Why.NEEDS: f"{node.name} needs {edge.source}",
                plan.Why.DATA: f"{node.name} reads {edge.detail} of {edge.source}",
            }[edge.why]
            yield Link(source=edge.source, target=node.id, kind=Kind(edge.why.value), hint=reason, label=edge.detail)
    if made.defer is not None:
        awaited = {edge.source for node in made.nodes for edge in node.edges}
        for node in made.nodes:
            if node.id not in awaited:
                yield Link(source=node.id, target=made.defer.id, kind=Kind.LAST, hint="last, whatever happened")


def _box(found: Prospect) -> Box:
    node = found.node
    return Box(
        id=node.id,
        title=node.name,
        subtitle=node.function,
        step=found.step,
        hint="\n".join(_hints(found)),
        badges=tuple(_badges(found)),
        undo=tuple(Undo(key=each.kind.value, function=each.function) for each in (node.revert, node.cleanup) if each),
        exports=node.exports,
        many=node.foreach is not None,
        faint=found.decision is Decision.SKIPPED,
    )


def _hints(found: Prospect) -> Iterator[str]:
    yield f"{found.node.name}: {found.node.function}"
    if found.node.description:
        yield found.node.description
    for each in found.arguments:
        yield f"{each.name}: {wording.value(each.value, 120)}"


def _badges(found: Prospect) -> Iterator[Badge]:
    node = found.node
    if found.problems:
        yield Badge(text="will fail", tone=Tone.WRONG, hint="\n".join(each.message for each in found.problems))
    if found.decision is Decision.SKIPPED:
        yield Badge(text="skipped", hint=f"since this is false: {node.when}")
    if node.when:
        when = f"if {wording.value(node.when, _LONGEST_CONDITION)}"
        yield Badge(text=when, tone=Tone.CHOICE, hint=_about_condition(found))
    if node.foreach is not None:
        yield _many(found, node.foreach)
    if found.size is not None:
        yield Badge(text=wording.size(found.size), hint="data that it would read")
    if node.tolerate:
        yield Badge(text="may fail", tone=Tone.RISK, hint="if it fails, the action goes on and ends with a warning")
    if node.retry.limit and node.retry != compile.USUAL_RETRY:
        again = "retry" if node.retry.limit == 1 else f"{node.retry.limit} retries"
        yield Badge(text=again, hint=wording.retry(node.retry))
    if node.timeout is not None:
        yield Badge(text=f"≤ {durations.text(node.timeout)}", hint=wording.limit(node))


def _about_condition(found: Prospect) -> str:
    match found.decision:
        case Decision.SKIPPED:
            return f"{found.node.when}\nfalse, so it is skipped"
        case Decision.OPEN if found.waits_for:
            return f"{found.node.when}\nknown when {wording.known_when(found.waits_for)}"
        case Decision.OPEN:
            return found.node.when
    return f"{found.node.when}\ntrue, so it runs"


def _many(found: Prospect, foreach: plan.Foreach) -> Badge:
    about = [f"one for each of {wording.items(foreach)}"]
    if found.instances is not None:
        about.append(wording.names([each.key for each in found.instances], _MOST_KEYS))
    elif found.items_from:
        about.append(f"known when {wording.known_when(found.items_from)}")
    if limits := wording.side_by_side(foreach):
        about.append(limits)
    number = "for each item" if found.instances is None else wording.counted(len(found.instances), "instance")
    width = f" · {foreach.max_parallel} at once" if foreach.max_parallel is not None else ""
    return Badge(text=number + width, tone=Tone.MANY, hint="\n".join(about))
