"""Rendered arguments → the argument model of the function."""

from __future__ import annotations

from collections.abc import Mapping

from runner.base import errors
from runner.registry import argcheck, args, function


def decode(spec: function.FunctionSpec, rendered: Mapping[str, object]) -> args.Arguments:
    """Build the arguments of a call from rendered values.

    Raises:
        PermanentError: KB505 if they do not fit, KB702 if a secret stands where none is taken; the first problem is
            the message, all are in the details, and the context has the JSON Pointer of the argument.
    """
    found = [problem for problem, _ in argcheck.problems(spec, rendered)]
    if not found:
        return spec.arguments.model_validate(dict(rendered))
    first = found[0]
    raise errors.PermanentError(
        first.message,
        code="KB702" if first.code == "KB702" else "KB505",
        details="\n".join(problem.message for problem in found[1:]),
        hint=first.hint,
        context={"argument": first.pointer},
    )
