"""`Pause`: hold the plan back for a while."""

from __future__ import annotations

from runner.registry import context
from runner.registry.args import Arguments, Duration, argument
from runner.registry.function import Effects, function


class PauseArgs(Arguments):
    """Arguments of `Pause`."""

    duration: Duration = argument("How long to wait.", example="30s")


@function("Pause", effects=Effects.READS, idempotent=True, pure=True, duration_argument="duration")
def pause(ctx: context.PhaseContext, args: PauseArgs) -> context.Until:
    """Wait for some time, which a restart of the runner does not make longer."""
    return context.Until(ctx.clock.now() + args.duration)
