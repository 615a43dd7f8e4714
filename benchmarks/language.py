"""What the language costs: checking blueprints, rendering their templates, planning very long actions.

Documents are generated, all different, so that nothing is answered from memory that a real set of documents would not
have there. Exits with 1 if a goal is missed:

- `runner validate` of 100 blueprints with five phases each takes at most 2 s, the start of the command included;
- parsing, checking and rendering one of them takes at most 5 ms where the process has seen it before, as an editor or
  whoever runs it every hour has; what a new one takes in a warm process is printed too, without a goal;
- a document that is full of mistakes, as large as documents may be, is checked within 10 s;
- the plan of an action with 10,000 phases takes at most 1 s.

All of it is processor time: none of it waits for anything, and a busy machine disturbs that less. Beside it stands what
PyYAML and jsonschema take for the same documents in the same process: reading them with the C loader, and their shape.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import bytecode  # type: ignore[import-not-found]  # beside this file
import jsonschema
import yaml
from msgspec import structs

from runner.app import builtins, validate
from runner.base import diagnostic, resources
from runner.checks import run as checks
from runner.model import blueprint as blueprints
from runner.model import load
from runner.plan import compile
from runner.templates import render

CHECKED_S = 2.0
ONE_MS = 5.0
MISTAKES_S = 10.0
PLANNED_S = 1.0
DOCUMENTS = 100
PHASES = 10_000
ROUNDS = 5

DOCUMENT = """\
apiVersion: blueprint-runner.dev/v1
kind: Blueprint
metadata: {{name: shop-{number}}}
retryPolicies:
  patient: {{limit: 4, errors: [transient], backoff: {{initial: 5s, factor: 2, max: 2m}}}}
actions:
  backup:
    inputs:
      server_{number}: {{type: string, default: "db-{number}.example.org", description: The server.}}
      database: {{type: string, default: shop, pattern: "[a-z_]+"}}
      paths: {{type: array, default: [/srv/shop-{number}]}}
      compact: {{type: boolean, default: true}}
    outputArtifacts:
      dump: {{keyValue: {{export: "{{{{ phases.dump.outputs.export }}}}", server: "{{{{ inputs.server_{number} }}}}"}}}}
      files: {{keyValue: {{export: "{{{{ phases.files.outputs.export }}}}"}}}}
    phases:
    - name: stop_{number}
      func: RunCommand
      args: {{script: "systemctl stop shop-{number}@{{{{ inputs.database | sh }}}}", idempotent: true}}
      cleanup: {{func: RunCommand, args: {{script: systemctl start shop-{number}, idempotent: true}}}}
      timeout: 2m
    - name: dump
      func: BackupStream
      args: {{command: [pg_dump, "--host={{{{ inputs.server_{number} }}}}", "{{{{ inputs.database }}}}"]}}
      retry: patient
    - name: files
      func: BackupFiles
      needs: [stop_{number}]
      args: {{paths: "{{{{ inputs.paths }}}}", exclude: ["*.tmp", "cache-{number}/"]}}
    - name: count
      func: RunCommand
      when: inputs.compact and inputs.database != "template{number}"
      args: {{command: [count, "{{{{ phases.dump.outputs.export }}}}", "--files={{{{ phases.files.outputs.files }}}}"]}}
      outputs: {{rows: {{type: integer}}}}
    - name: proof
      func: AssertThat
      args:
        that: "{{{{ phases.files.outputs.files > {number} and phases.count.outputs.rows | default(1) > 0 }}}}"
        message: "{{{{ inputs.database | upper }}}} of {{{{ time | date('%Y-%m-%d') }}}} holds nothing"
"""
ROOTS: dict[str, Any] = {
    "phases": {
        "dump": {"outputs": {"export": "e1"}},
        "files": {"outputs": {"export": "e2", "files": 7}},
        "count": {"outputs": {"rows": 3}},
    },
    "time": "2026-03-01T08:30:00Z",
    "run": {"id": "7kq2m9xw"},
}
REGISTRY = builtins.registry_of_builtins()


def documents(first: int) -> list[str]:
    """Return blueprints of which none is like another one."""
    return [DOCUMENT.format(number=number) for number in range(first, first + DOCUMENTS)]


def whole(text: str) -> None:
    """Parse a blueprint, check it, and render all arguments and artifacts of its action."""
    blueprint, found = load.parse_blueprint(text, "blueprint.yaml")
    assert blueprint is not None
    assert not diagnostic.has_errors([*found, *checks.check(blueprint, REGISTRY)])
    action = blueprint.actions["backup"]
    roots = {**ROOTS, "inputs": {name: declared.default for name, declared in action.inputs.items()}}
    for call in compile.calls(action):
        render.render_arguments(call.arguments, roots)
    for values in action.output_artifacts.values():
        render.render_arguments(values, roots)


def peer(text: str, validator: jsonschema.Draft202012Validator) -> None:
    """Read a blueprint and check its shape with nothing but the libraries."""
    assert not list(validator.iter_errors(yaml.load(text, Loader=yaml.CSafeLoader)))


def seconds(action: Callable[[], object]) -> float:
    """Return how much processor time something takes, its child processes included."""
    start = _spent()
    action()
    return _spent() - start


def _spent() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def met(what: str, took: float, goal: float, unit: str) -> bool:
    """Print a result beside its goal; tell whether it was met."""
    print(f"{what:58} {took:8.2f} {unit} (goal: at most {goal:g} {unit})")
    return took <= goal


def command_is_quick() -> bool:
    """Measure `runner validate` of a directory, from start to end."""
    with bytecode.kept(), tempfile.TemporaryDirectory() as scratch:
        for number, text in enumerate(documents(0)):
            (Path(scratch) / f"{number}.yaml").write_text(text, encoding="utf-8")
        call = [sys.executable, "-m", "runner", "validate", "-q", scratch]
        subprocess.run(call, check=True)  # byte code and page cache
        took = [seconds(lambda: subprocess.run(call, check=True)) for _ in range(ROUNDS)]
    return met(f"runner validate, {DOCUMENTS} blueprints of five phases", statistics.median(took), CHECKED_S, "s")


def one_is_quick() -> bool:
    """Measure parse, check and render of one blueprint after another, beside the bare libraries."""
    text = (resources.schemas() / "blueprint.schema.json").read_text(encoding="utf-8")
    validator = jsonschema.Draft202012Validator(json.loads(text))
    warm, measured = documents(1000), documents(2000)
    for document in warm:
        whole(document)
    runs = [[seconds(partial(whole, each)) for _ in range(2)] for each in measured]
    new, again = (statistics.median(column) * 1000 for column in zip(*runs, strict=True))
    theirs = statistics.median(seconds(partial(peer, each, validator)) for each in measured) * 1000
    good = met("parse, check and render one of them, warm", again, ONE_MS, "ms")
    print(f"  one that is new: {new:.2f} ms; PyYAML's C loader and jsonschema alone: {theirs:.2f} ms")
    return good


def mistakes_are_quick() -> bool:
    """Measure a document in which every phase is wrong, of about as many nodes as are allowed."""
    inputs = "".join(f"      input{number}: {{}}\n" for number in range(3000))
    phases = "".join(
        f'    - {{name: p{number}, func: RunComand, args: {{command: ["{{{{ inputs.inptu{number} }}}}"]}}}}\n'
        for number in range(3000)
    )
    head = DOCUMENT.partition("retryPolicies")[0].format(number=1)
    text = f"{head}actions:\n  backup:\n    inputs:\n{inputs}    phases:\n{phases}"
    found: list[diagnostic.Diagnostic] = []
    took = seconds(lambda: found.extend(validate.findings(REGISTRY, text, "blueprint.yaml")))
    return met(f"check a document with {len(found):,} mistakes", took, MISTAKES_S, "s")


def long(phases: Iterable[blueprints.Phase]) -> blueprints.Blueprint:
    """Return a blueprint with these phases; longer ones than a document can hold."""
    blueprint, _ = load.parse_blueprint(DOCUMENT.format(number=1), "blueprint.yaml")
    assert blueprint is not None
    action = structs.replace(blueprint.actions["backup"], phases=tuple(phases), output_artifacts={})
    return structs.replace(blueprint, actions={"backup": action})


def plan_is_quick(shape: str) -> bool:
    """Measure the plan of very many phases: a chain by data, or a fan behind the first phase."""
    blueprint, _ = load.parse_blueprint(DOCUMENT.format(number=1), "blueprint.yaml")
    assert blueprint is not None
    sample = blueprint.actions["backup"].phases[3]

    def phase(number: int) -> blueprints.Phase:
        source = f"p{number - 1 if shape == 'chain' else 0}"
        reads = f"rows: {{{{ phases.{source}.outputs.rows }}}}" if number else "0"
        arguments = {"command": ["count", reads]}
        return structs.replace(sample, name=f"p{number}", needs=(), when=None, arguments=arguments)

    made = long(phase(number) for number in range(PHASES))
    took = [seconds(lambda: compile.compile_plan(made, "backup", REGISTRY)) for _ in range(ROUNDS)]
    return met(f"plan {PHASES:,} phases, a {shape}", statistics.median(took), PLANNED_S, "s")


def main() -> int:
    """Measure everything and tell whether all goals were met."""
    results = [command_is_quick(), one_is_quick(), mistakes_are_quick(), *map(plan_is_quick, ("chain", "fan"))]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
