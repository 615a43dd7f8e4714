"""`RestoreStream`: an exported stream to the standard input of a command."""

from __future__ import annotations

import collections

import pydantic

from runner.base import ids
from runner.functions import command_arguments, command_output, tree_arguments
from runner.processes import commands, exchange, output_protocol
from runner.registry import args, context
from runner.registry.args import argument
from runner.registry.function import Effects, function


class RestoreStreamArgs(command_arguments.CommandArguments):
    """Arguments of `RestoreStream`."""

    export: str = argument("Id of the export.", example="{{ artifactsIn.dump.export }}")
    idempotent: bool = argument(
        "Whether restoring twice gives the same; then it is retried, and repeated after a crash, without asking.",
        default=False,
        example=True,
    )


class RestoreStreamOutputs(args.Outputs):
    """Outputs of `RestoreStream`."""

    bytes: int = pydantic.Field(description="Bytes that the command was given.")


@function("RestoreStream", effects=Effects.MUTATES, idempotent=False, idempotent_argument="idempotent")
def restore_stream(ctx: context.PhaseContext, args: RestoreStreamArgs) -> RestoreStreamOutputs:
    """Give an exported stream to a command as its standard input, to load a dump for instance.

    It succeeds if the command has read everything and ends with exit code 0. What the command writes goes to the log
    of the run. Let the command work in one transaction where it can: a failure in the middle then changes nothing.
    """
    from runner.repository import exports, repository, streams

    tail: collections.deque[str] = collections.deque(maxlen=command_arguments.TAIL_LINES)
    log = command_output.CommandLog(ctx)
    stdout = output_protocol.Lines(log.stream("stdout", collections.deque(maxlen=0)))
    stderr = output_protocol.Lines(log.stream("stderr", tail))
    repo, export = ctx.service(repository.Repository), ids.ExportId(args.export)
    size = exports.size_of(repo.manifest(export))
    progress = tree_arguments.report(ctx, args.subject, size)
    source = streams.StreamSource(repo, export, cancel=ctx.cancel, progress=progress)
    with log:
        ended = exchange.run(
            ctx.service(commands.Commands),
            args.argv,
            env=args.environment(ctx),
            cwd=args.directory(ctx),
            files=args.contents(ctx),
            stdin=source,
            on_stdout=stdout.feed,
            on_stderr=stderr.feed,
            cancel=ctx.cancel,
        )
        stdout.end()
        stderr.end()
    if ended.code != 0:
        raise command_arguments.failed(args.subject, ended, tail)
    if not source.is_complete:
        raise command_arguments.failed(f"{args.subject} did not read the whole stream and", ended, tail)
    source.prove()
    return RestoreStreamOutputs(bytes=source.length)
