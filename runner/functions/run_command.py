"""`RunCommand`: a program or a shell script on the machine of the runner."""

from __future__ import annotations

import collections

from runner.base import secret
from runner.functions import command_arguments, command_output
from runner.processes import commands, exchange, output_protocol
from runner.registry import context
from runner.registry.args import DynamicOutputs, SecretText, argument
from runner.registry.function import Effects, function


class RunCommandArgs(command_arguments.CommandArguments):
    """Arguments of `RunCommand`."""

    stdin: SecretText | None = argument(
        "Text for its standard input, empty by default.", default=None, example="SELECT count(*) FROM sales;\n"
    )
    idempotent: bool = argument(
        "Whether running it twice does no harm; then it is retried, and repeated after a crash, without asking.",
        default=False,
        example=True,
    )
    success_codes: list[int] = argument("Exit codes that mean success.", default=[0], example=[0, 1])
    output_limit: int = argument(
        "How many bytes one output may have.", default=output_protocol.LIMIT_BYTES, gt=0, example=4096
    )


@function(
    "RunCommand",
    effects=Effects.MUTATES,
    idempotent=False,
    idempotent_argument="idempotent",
    dynamic_outputs=True,
)
def run_command(ctx: context.PhaseContext, args: RunCommandArgs) -> DynamicOutputs:
    """Run a program or a shell script on the machine of the runner.

    Its output goes to the log of the run. Outputs that the phase declares are read from lines of its standard output
    that hold `###Phase-output###: {"key": "NAME", "value": "TEXT"}`, and then from the file that the variable
    `RUNNER_OUTPUT_FILE` names, whose lines are such objects or `NAME=TEXT`. The variables `RUNNER_WORK` (a private
    directory of the phase), `RUNNER_RUN_ID` and `RUNNER_PHASE` are set as well.

    When the phase is cancelled or reaches its timeout, the command and all that it has started are asked to end, and
    killed after a few seconds. Processes that it leaves behind in the background do not outlive it.
    """
    output_file = ctx.work / f"outputs-{ctx.attempt}"
    output_file.unlink(missing_ok=True)
    errors_tail: collections.deque[str] = collections.deque(maxlen=command_arguments.TAIL_LINES)
    tail: collections.deque[str] = collections.deque(maxlen=command_arguments.TAIL_LINES)
    log = command_output.CommandLog(ctx)
    stdout = output_protocol.OutputReader(
        log.stream("stdout", tail), args.output_limit, lambda key, value: _hide(ctx, key, value)
    )
    stderr = output_protocol.Lines(log.stream("stderr", errors_tail))
    with log:
        ended = exchange.run(
            ctx.service(commands.Commands),
            args.argv,
            env={**args.environment(ctx), "RUNNER_OUTPUT_FILE": str(output_file)},
            cwd=args.directory(ctx),
            files=args.contents(ctx),
            stdin=[] if args.stdin is None else [ctx.reveal(args.stdin).encode()],
            on_stdout=stdout.feed,
            on_stderr=stderr.feed,
            cancel=ctx.cancel,
        )
        stderr.end()
        if ended.code not in args.success_codes:
            raise command_arguments.failed(args.subject, ended, errors_tail or tail)
        stdout.end()
    outputs = {**stdout.outputs, **output_protocol.read_file(output_file, args.output_limit)}
    for key in sorted(outputs.keys() - ctx.declared_outputs.keys()):
        ctx.warn(f'the command wrote an output "{key}" that the phase does not declare')
    return DynamicOutputs.model_validate(outputs)


def _hide(ctx: context.PhaseContext, key: str, value: str) -> None:
    """Have a secret output masked in what the command says from now on."""
    if ctx.declared_outputs.get(key):
        ctx.reveal(secret.Secret(f"outputs.{key}", lambda: value))
