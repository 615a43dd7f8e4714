"""Plans of small blueprints, and what can be told of them, for the tests of everything that shows plans."""

from __future__ import annotations

import textwrap

from runner.model import load
from runner.plan import compile, outlook, plan
from runner.plan.knowledge import Knowledge
from runner.registry import registry as registries
from runner.testing import sample_functions

HEADER = "apiVersion: blueprint-runner.dev/v1\nkind: Blueprint\nmetadata: {name: sample}\n"

# One of everything that a plan can have.
FULL = """
- name: quiesce
  description: Hold back new orders, so that all volumes are of one moment.
  func: RunCommand
  timeout: 1m
  args: {command: [app, pause], env: {PASSWORD: "{{ inputs.password }}"}}
  cleanup: {func: RunCommand, args: {command: [app, go]}}
- name: snapshot
  needs: [quiesce]
  func: SnapshotVolume
  foreach: {items: inputs.volumes, maxParallel: 2, failFast: true}
  retry: {limit: 4, errors: [transient, timeout]}
  timeout: 15m
  args: {volume: "/dev/{{ item }}", driver: file}
  revert: {func: DeleteSnapshot, args: {snapshot: "{{ phases.snapshot.outputs.id }}"}}
- name: resume
  needs: [snapshot]
  func: RunCommand
  args: {command: [app, go]}
- name: count
  needs: [quiesce]
  func: RunCommand
  onError: continue
  args: {command: [app, count, "{{ run.id }}"]}
  outputs: {rows: {type: integer}}
- name: export
  func: BackupFiles
  foreach: {items: phases.snapshot.each}
  args: {paths: ["/snapshots/{{ item.outputs.id }}"]}
- name: check
  func: AssertThat
  when: phases.count.outputs.rows > 0
  args: {that: "{{ phases.count.outputs.rows > 10 }}"}
- name: report
  func: RunCommand
  when: inputs.verbose
  args: {command: [app, report]}
"""
FULL_ACTION = textwrap.dedent(
    """
    timeout: 2h
    concurrency: {group: "shop/{{ inputs.site }}", maxParallel: 4}
    inputs:
      site: {type: string, default: north}
      volumes: {type: array, default: [data, wal]}
      verbose: {type: boolean, default: false}
      password: {type: string, secret: true, required: true}
    outputArtifacts: {volumes: {keyValue: {exports: "{{ phases.export.each | toJson }}"}}}
    deferPhase: {func: RunCommand, args: {command: [app, ended]}}
    """
)
FULL_KNOWN = Knowledge(inputs={"site": "north", "volumes": ["data", "wal"], "verbose": False}, missing=("password",))


def compiled(phases: str, action: str = "", registry: registries.Registry | None = None) -> plan.Plan:
    """Return the plan of an action with these phases; the functions are the sample ones unless told."""
    indented = textwrap.indent(textwrap.dedent(phases), "    ")
    text = f"{HEADER}actions:\n  backup:\n{textwrap.indent(action, '    ')}    phases:\n{indented}"
    blueprint, found = load.parse_blueprint(text, "sample.yaml")
    assert blueprint is not None, found
    made, found = compile.compile_plan(blueprint, "backup", registry or sample_functions.sample_registry())
    assert made is not None, found
    return made


def seen(phases: str, action: str = "", known: Knowledge | None = None) -> outlook.Outlook:
    """Return what can be told of the plan of such an action."""
    return outlook.look(compiled(phases, action), known or Knowledge())


def full() -> outlook.Outlook:
    """Return what can be told of a plan that has one of everything."""
    return seen(FULL, FULL_ACTION, FULL_KNOWN)
