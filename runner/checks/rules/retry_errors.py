"""The failures that are tried again are failures that exist (KB323)."""

from __future__ import annotations

from collections.abc import Iterator

from runner.base import codes, suggest
from runner.base import span as spans
from runner.base.diagnostic import Diagnostic
from runner.checks import scope as scopes
from runner.model import blueprint as blueprints
from runner.plan import compile

# Other codes than these may be those of a plugin.
_FAMILIES = ("KB", "RT")


def check(scope: scopes.Scope) -> Iterator[Diagnostic]:
    """Report unknown error codes in the retries of calls and in retry policies."""
    for name, policy in scope.blueprint.retry_policies.items():
        yield from _unknown(scope, policy, spans.pointer(["retryPolicies", name]))
    for each in scope.actions:
        for call in compile.calls(each.action):
            if isinstance(call.retry, blueprints.RetrySpec):
                yield from _unknown(scope, call.retry, f"{call.pointer}/retry")


def _unknown(scope: scopes.Scope, retry: blueprints.RetrySpec, pointer: str) -> Iterator[Diagnostic]:
    for index, name in enumerate(retry.errors or ()):
        if name.startswith(_FAMILIES) and name not in codes.CODES:
            best = suggest.closest(name, [known for known in codes.CODES if known.startswith(name[:3])])
            yield Diagnostic(
                code="KB323",
                message=f'there is no error code "{name}"',
                span=scope.blueprint.span(f"{pointer}/errors/{index}"),
                hint=f'did you mean "{best}" ({codes.CODES[best].title.lower()})?'
                if best
                else "write the code that stands behind `error` where the failure is reported",
            )
