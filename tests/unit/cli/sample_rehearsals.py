"""Rehearsals of `sample_blueprints.FAILING`, which the tests of the command line perform."""

from __future__ import annotations

from pathlib import Path

PASSES = """\
apiVersion: blueprint-runner.dev/v1
kind: Rehearsal
blueprint: ./blueprint.yaml
action: backup
given:
  results:
    dump: {error: {code: RT206, message: the disk is on fire}}
expect:
  status: failed
  sequence: [quiesce, dump, cleanup/quiesce, revert/quiesce]
"""

DIFFERS = """\
apiVersion: blueprint-runner.dev/v1
kind: Rehearsal
metadata: {name: the disk burns}
blueprint: ./blueprint.yaml
action: backup
given:
  results:
    dump: {error: {code: RT206, message: the disk is on fire}}
    after: {outputs: {}}
  crashes: [{after: after}]
expect:
  status: succeeded
  sequence: [quiesce, dump, after, cleanup/quiesce]
  states: {after: succeeded}
  arguments:
    quiesce: {script: echo "quiesced"}
    after: {script: "true"}
  error: {code: RT206, phase: quiesce}
  attempts: {dump: 2}
"""

INVALID = """\
apiVersion: blueprint-runner.dev/v1
kind: Rehearsal
blueprint: ./blueprint.yaml
action: backup
given:
  inputs: {source: /srv}
  results:
    dumpp: {error: {code: RT206}}
    quiesce: {outputs: {ticket: 7}}
expect:
  sequence: [quiesce, revert/dump]
  status: faild
"""

SECRET_BLUEPRINT = """\
apiVersion: blueprint-runner.dev/v1
kind: Blueprint
metadata: {name: safe}
actions:
  backup:
    inputs:
      password: {type: string, secret: true, required: true}
    phases:
    - name: login
      func: RunCommand
      args: {command: [login], env: {PASSWORD: "{{ inputs.password }}"}}
      outputs: {ticket: {type: string, secret: true}}
    - name: dump
      func: RunCommand
      args: {command: [dump], env: {TICKET: "{{ phases.login.outputs.ticket }}"}}
"""

SECRET = """\
apiVersion: blueprint-runner.dev/v1
kind: Rehearsal
blueprint: ./blueprint.yaml
action: backup
given:
  inputs: {password: correct-horse}
  results:
    login: {outputs: {ticket: battery-staple}}
    dump: {error: {message: refused correct-horse with battery-staple}}
expect:
  status: succeeded
  arguments:
    login: {env: {PASSWORD: correct-horse}}
    dump: {env: {TICKET: battery-staple}}
  error: {message: nothing of correct-horse}
"""


def write(directory: Path, text: str, name: str) -> Path:
    """Write a rehearsal, as `NAME.rehearsal.yaml`."""
    path = directory / f"{name}.rehearsal.yaml"
    path.write_text(text, encoding="utf-8")
    return path
