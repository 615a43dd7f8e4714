"""`Approve`: hold the plan back until a person agrees."""

from __future__ import annotations

from runner.registry import context
from runner.registry.args import Arguments, Duration, argument
from runner.registry.function import Effects, function


class ApproveArgs(Arguments):
    """Arguments of `Approve`."""

    message: str = argument("What the person has to decide.", example="Write over the live database?")
    expires_after: Duration | None = argument(
        "How long the question stands; the phase fails after that. Without it there is no limit.",
        default=None,
        example="24h",
    )


@function("Approve", effects=Effects.READS, idempotent=True, pure=True)
def approve(ctx: context.PhaseContext, args: ApproveArgs) -> context.Approval:
    """Wait until a person says `runner approve RUN PHASE`; phases that do not need the answer go on meanwhile."""
    expires_at = None if args.expires_after is None else ctx.clock.now() + args.expires_after
    return context.Approval(args.message, expires_at)
