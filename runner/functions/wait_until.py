"""`WaitUntil`: hold the plan back until something outside is ready."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from runner.base import errors
from runner.functions import command_arguments
from runner.processes import commands, exchange, output_protocol
from runner.registry import context
from runner.registry.args import Duration, argument
from runner.registry.function import Effects, function


class WaitUntilArgs(command_arguments.CommandArguments):
    """Arguments of `WaitUntil`."""

    ways: ClassVar[tuple[str, ...]] = ("command", "script", "path")

    path: str | None = argument(
        "File or directory that has to exist.", default=None, example="/var/lib/shop/ready", pattern=r"^/"
    )
    interval: Duration = argument("Pause between two looks.", default="2s", example="500ms")
    timeout: Duration = argument("How long to wait before giving up.", default="5m", example="10m")


@function("WaitUntil", effects=Effects.READS, idempotent=True)
def wait_until(ctx: context.PhaseContext, args: WaitUntilArgs) -> None:
    """Wait until a command ends with exit code 0, or until a path exists.

    The command is run again and again, so it should only look and change nothing.
    """
    last_lines: list[str] = []

    def look() -> bool | None:
        if args.path is not None:
            return Path(args.path).exists() or None
        last_lines.clear()
        return _succeeds(ctx, args, last_lines) or None

    describe = f"the path {args.path}" if args.path is not None else f"{args.subject} to succeed"
    try:
        ctx.poll(look, interval=args.interval, timeout=args.timeout, describe=describe)
    except errors.TimedOut as problem:
        problem.details = problem.details or "\n".join(last_lines[-command_arguments.TAIL_LINES :])
        raise


def _succeeds(ctx: context.PhaseContext, args: WaitUntilArgs, lines: list[str]) -> bool:
    stdout, stderr = output_protocol.Lines(lines.append), output_protocol.Lines(lines.append)
    ended = exchange.run(
        ctx.service(commands.Commands),
        args.argv,
        env=args.environment(ctx),
        cwd=args.directory(ctx),
        files=args.contents(ctx),
        on_stdout=stdout.feed,
        on_stderr=stderr.feed,
        cancel=ctx.cancel,
    )
    stdout.end()
    stderr.end()
    ctx.log.debug("command.looked", ended=str(ended), lines=lines[-command_arguments.TAIL_LINES :])
    return ended.code == 0
