"""Bare expressions, as `when` and `foreach` hold them: a whole text is one expression, without braces."""

from __future__ import annotations

from collections.abc import Mapping

from runner.templates import evaluate, kinds, problem, template


def value(text: str, roots: Mapping[str, object]) -> object:
    """Return what an expression yields.

    Raises:
        TemplateError: KB401 to KB405.
        SecretMisuse: KB702 if it looks at a secret.
    """
    return template.parse_bare(text).render(roots)


def condition(text: str, roots: Mapping[str, object]) -> bool:
    """Return whether a condition holds.

    Raises:
        TemplateError: As `value`; KB410 if it yields anything but true or false.
        SecretMisuse: KB702 if it looks at a secret.
    """
    holds = value(text, roots)
    if isinstance(holds, bool):
        return holds
    for secret in evaluate.secrets_in(holds):
        raise evaluate.misuse(secret)
    raise problem.TemplateError(
        f"the condition yields {kinds.describe(holds)}, not true or false",
        code="KB410",
        hint='compare it with something: name != ""',
    )
