"""Findings about a draft that may only follow from what was left out of it."""

from __future__ import annotations

from runner.base import span as spans
from runner.base.diagnostic import Diagnostic
from runner.model import draft as drafts

# Findings that say that something is nowhere in the action.
_ABOUT_ALL = frozenset({"KB317", "KB322", "KB324", "KB325", "KB340"})


def is_sure(draft: drafts.Draft, found: Diagnostic) -> bool:
    """Tell whether a finding would also be made if what is left out were mended."""
    if found.code == "KB318":
        return draft.is_whole("/actions")  # any action may make the artifact
    if found.code in _ABOUT_ALL:
        return draft.is_whole(spans.pointer(spans.split_pointer(found.span.pointer)[:2]))
    return not any(draft.in_doubt(pointer) for pointer in _grounds(found))


def _grounds(found: Diagnostic) -> list[str]:
    """Return what a finding says is missing, by its pointer: what it relies on besides the place it is about."""
    pointer = found.span.pointer
    parts = spans.split_pointer(pointer)
    action = spans.pointer(parts[:2])
    match found.code:
        case "KB310":
            return [f"{action}/phases", f"{action}/deferPhase"]
        case "KB312":
            return [f"{each.span.pointer.removesuffix('/name')}/outputs" for each in found.related]
        case "KB313":
            return [f"{action}/inputs"]
        case "KB314":
            return [f"{action}/inputArtifactNames"]
        case "KB315":
            return [f"{_call(parts)}/foreach"]
        case "KB316":
            return [f"{_call(parts)}/when"]
        case "KB321":
            return ["/retryPolicies"]
        case "KB503" | "KB504" | "KB520" if parts[len(spans.split_pointer(_call(parts))) + 1 :] == ():
            return [f"{_call(parts)}/args"]
    return []


def _call(parts: tuple[str, ...]) -> str:
    """Return the pointer of the phase, revert, cleanup or deferPhase that a place is in."""
    length = 3 if parts[2:3] == ("deferPhase",) else 4
    if parts[length : length + 1] in (("revert",), ("cleanup",)):
        length += 1
    return spans.pointer(parts[:length])
