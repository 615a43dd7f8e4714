"""`AssertThat`: stop the run when something does not hold."""

from __future__ import annotations

from runner.base import errors
from runner.registry import context
from runner.registry.args import Arguments, argument
from runner.registry.function import Effects, function


class AssertThatArgs(Arguments):
    """Arguments of `AssertThat`."""

    that: bool = argument("What has to be true.", example="{{ phases.count.outputs.rows > 0 }}")
    message: str = argument(
        "What is wrong when it is not, as a sentence without a final dot.",
        default="an assertion of the blueprint does not hold",
        example="the dump is empty",
    )


@function("AssertThat", effects=Effects.READS, idempotent=True, pure=True)
def assert_that(ctx: context.PhaseContext, args: AssertThatArgs) -> None:
    """Fail the phase unless a condition is true."""
    if not args.that:
        raise errors.PermanentError(args.message, code="RT208", hint=f"see what the phase {ctx.phase} compares")
