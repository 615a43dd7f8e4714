"""`BackupStream`: what a command writes to its standard output into the repository."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING

from runner.functions import command_arguments, command_output, tree_arguments
from runner.processes import commands, exchange, output_protocol
from runner.registry import args, context
from runner.registry.function import Effects, function

if TYPE_CHECKING:
    from runner.repository import exports


class BackupStreamArgs(command_arguments.CommandArguments):
    """Arguments of `BackupStream`."""


@function("BackupStream", effects=Effects.CREATES, idempotent=True)
def backup_stream(ctx: context.PhaseContext, args: BackupStreamArgs) -> args.ExportOutputs:
    """Back up what a command writes to its standard output, the dump of a database for instance.

    There is an export only if the command ends with exit code 0, whatever it has written by then. Its standard error
    goes to the log of the run. In a script, a pipe hides the failure of all commands but the last. Dumps that are not
    compressed deduplicate; the repository compresses what it stores.
    """
    from runner.repository import repository, streams

    repo = ctx.service(repository.Repository)
    tail: collections.deque[str] = collections.deque(maxlen=command_arguments.TAIL_LINES)
    log = command_output.CommandLog(ctx)
    stderr = output_protocol.Lines(log.stream("stderr", tail))
    with log, repo.writer(token=ctx.token, cancel=ctx.cancel, run=ctx.run_id) as sink:
        capture = streams.StreamCapture(repo, sink, tree_arguments.report(ctx, args.subject))
        ended = exchange.run(
            ctx.service(commands.Commands),
            args.argv,
            env=args.environment(ctx),
            cwd=args.directory(ctx),
            files=args.contents(ctx),
            on_stdout=capture.feed,
            on_stderr=stderr.feed,
            cancel=ctx.cancel,
        )
        stderr.end()
        if ended.code != 0:
            raise command_arguments.failed(args.subject, ended, tail)
        if not capture.length:
            ctx.warn(f"{args.subject} wrote nothing: the export is empty")
        result = capture.finish(args.subject)
    return _outputs(repo.manifest(result.export))


@backup_stream.finder
def find_export(ctx: context.PhaseContext, args: BackupStreamArgs, token: str) -> args.ExportOutputs | None:
    """Look for the export that an earlier attempt made."""
    from runner.repository import repository

    manifest = ctx.service(repository.Repository).find_export(token)
    return None if manifest is None else _outputs(manifest)


def _outputs(manifest: exports.Manifest) -> args.ExportOutputs:
    return args.ExportOutputs(
        export=manifest.export,
        bytes_read=manifest.bytes_read,
        bytes_new=manifest.bytes_new,
        bytes_stored=manifest.bytes_stored,
    )
