"""How the parts of a plan are said: limits, retries, values on one line, lists of names."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Sequence

from runner.base import durations, errors, quantities
from runner.base.jsonvalue import JsonValue
from runner.plan import plan
from runner.plan.knowledge import Source
from runner.registry import estimates

# By how much a text is shortened at a time until it fits.
_STEP = 4
_TEMPLATE = re.compile(r"\{\{.*?\}\}")
_FIXED_SPACE = "\N{NO-BREAK SPACE}"


def value(found: JsonValue, width: int) -> str:
    """Write a value on one line of at most `width` characters, left out in the middle where it is longer."""
    return shortened(plain(found), width)


def plain(found: JsonValue) -> str:
    """Write a value as text: a text as it is, everything else as JSON."""
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)


def problem(found: errors.RunnerError) -> str:
    """Say why something is bound to fail."""
    return f"{found.message} ({found.code})"


def shortened(text: str, width: int) -> str:
    """Write a text on one line; of several lines the first is shown."""
    first, *further = text.strip("\n").split("\n")
    if further:
        note = f" … ({len(further) + 1} lines)"
        return _cut(_visible(first), max(8, width - len(note))) + note
    return _cut(_visible(first), width)


def lines(text: str, width: int, most: int) -> list[str]:
    """Write a text on at most so many lines, broken at spaces where it can be."""
    for length in range(width * most, width // 2, -_STEP):
        kept = _TEMPLATE.sub(lambda found: found[0].replace(" ", _FIXED_SPACE), shortened(text, length))
        broken = textwrap.wrap(kept, width, break_on_hyphens=False)
        if len(broken) <= most:
            return [line.replace(_FIXED_SPACE, " ") for line in broken]
    return [shortened(text, width)]


def _cut(text: str, width: int) -> str:
    if len(text) <= width:
        return text
    end = (width - 1) * 2 // 5
    return text[: width - 1 - end] + "…" + text[len(text) - end :]


def _visible(text: str) -> str:
    """Show control characters, which may do anything to a terminal, as JSON writes them."""
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)


def counted(number: int, noun: str) -> str:
    """Write a number with its noun: `1 phase`, `1,204 phases`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def times(number: int) -> str:
    """Say how often: `once`, `twice`, `4 times`."""
    return {1: "once", 2: "twice"}.get(number, f"{number} times")


def names(listed: Sequence[str], most: int) -> str:
    """Write a list of names, the first few of many."""
    shown = ", ".join(listed[:most])
    return shown if len(listed) <= most else f"{shown} and {len(listed) - most:,} more"


def known_when(sources: Iterable[Source]) -> str:
    """Say what has to happen first: `dump and check have ended and the run has started`."""
    by_event: dict[str, dict[str, None]] = {}
    for source in sources:
        by_event.setdefault(source.event, {})[source.subject] = None
    return joined([f"{joined(subjects)} {_agreeing(event, len(subjects))}" for event, subjects in by_event.items()])


def joined(texts: Iterable[str]) -> str:
    """Join texts with commas, the last with `and`."""
    listed = list(texts)
    return " and ".join(filter(None, [", ".join(listed[:-1]), *listed[-1:]]))


def _agreeing(event: str, number: int) -> str:
    return event if number == 1 else event.replace("has ", "have ", 1).replace("is ", "are ", 1)


def size(found: estimates.Size) -> str:
    """Write an amount of data: `about 12.0 MiB`, `at least 3.1 GiB`."""
    return f"{'about' if found.is_whole else 'at least'} {quantities.bytes_for_people(found.bytes)}"


def way(found: estimates.Way) -> str:
    """Say how the blocks of a volume would be read, and what that saves."""
    reads = {
        "changed": "reads what changed",
        "rescan": "reads everything, stores what is new",
        "full": "reads everything",
    }
    said = f"{reads.get(found.method, found.method)}: {found.reason}"
    saved = "" if found.skips is None else f"; {quantities.bytes_for_people(found.skips)} need not be read by now"
    return said + saved


def retry(policy: plan.Retry) -> str:
    """Say when a phase is tried again; empty if it never is."""
    if not policy.limit:
        return ""
    return f"tried again up to {times(policy.limit)} on: {', '.join(policy.errors)}"


def limit(node: plan.PlanNode) -> str:
    """Say how long an attempt may take; empty if as long as it likes."""
    return "" if node.timeout is None else f"at most {durations.text(node.timeout)} for one attempt"


def side_by_side(foreach: plan.Foreach) -> str:
    """Say how the instances of a phase go on beside each other; empty if nothing limits them."""
    width = "" if foreach.max_parallel is None else f"at most {foreach.max_parallel} side by side"
    width = "one after another" if foreach.max_parallel == 1 else width
    fast = "one that fails interrupts the others" if foreach.fail_fast else ""
    return "; ".join(filter(None, [width, fast]))


def items(foreach: plan.Foreach) -> str:
    """Say what the items are: the expression, or that they are written in the blueprint."""
    if isinstance(foreach.items, str):
        return foreach.items
    return f"a list of {len(foreach.items)}"
