"""Rehearsals of a blueprint that has something of everything, written as the tests need them."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent, indent

from runner.app import builtins, rehearsals
from runner.base import clock

BLUEPRINT = """\
apiVersion: blueprint-runner.dev/v1
kind: Blueprint
metadata: {name: shop}
actions:
  backup:
    timeout: 2h
    inputs:
      volumes: {type: array, default: [data-0, data-1]}
      data: {type: path, default: ./data}
      password: {type: string, secret: true}
      check: {type: boolean, default: true}
    outputArtifacts:
      files: {keyValue: {export: "{{ phases.files.outputs.export }}"}}
    phases:
    - name: freeze
      func: RunCommand
      args: {command: [shop, freeze], env: {PASSWORD: "{{ inputs.password | default('none') }}"}, idempotent: true}
      timeout: 1m
      retry: {limit: 2, errors: [transient, timeout]}
      cleanup: {func: RunCommand, args: {command: [shop, thaw], idempotent: true}}
      outputs:
        count: {type: integer}
        ticket: {type: string, secret: true}
    - name: snapshot
      func: SnapshotVolume
      foreach: {items: inputs.volumes}
      args: {volume: "{{ item }}"}
      revert: {func: DeleteSnapshot, args: {snapshot: "{{ phases.snapshot.outputs.id }}"}}
    - name: files
      func: BackupFiles
      needs: [snapshot]
      args: {paths: ["{{ inputs.data }}"]}
      timeout: 10m
    - name: notify
      func: RunCommand
      needs: [snapshot]
      onError: continue
      timeout: 5m
      args: {command: [notify], env: {TICKET: "{{ phases.freeze.outputs.ticket }}"}}
    - name: enough
      func: AssertThat
      when: inputs.check
      args: {that: "{{ phases.freeze.outputs.count > 0 }}", message: nothing to back up}
    - name: release
      func: Approve
      args: {message: Keep it?, expiresAfter: 24h}
    deferPhase: {func: RunCommand, args: {command: [shop, report], idempotent: true}}
  restore:
    inputArtifactNames: [files]
    inputs:
      target: {type: path, required: true}
    phases:
    - {name: files, func: RestoreFiles, args: {export: "{{ artifactsIn.files.export }}", target: "{{ inputs.target }}"}}
"""
_HEAD = """\
apiVersion: blueprint-runner.dev/v1
kind: Rehearsal
blueprint: ./shop.yaml
"""


def write(place: Path, body: str, *, action: str = "backup", blueprint: str = BLUEPRINT) -> Path:
    """Write a rehearsal, of which `body` is what follows its action, beside its blueprint."""
    (place / "shop.yaml").write_text(blueprint, encoding="utf-8")
    path = place / "test.rehearsal.yaml"
    path.write_text(f"{_HEAD}action: {action}\n{dedent(body)}", encoding="utf-8")
    return path


def read(place: Path, body: str, *, action: str = "backup", blueprint: str = BLUEPRINT) -> rehearsals.Document:
    """Write and read a rehearsal."""
    return read_again(write(place, body, action=action, blueprint=blueprint))


def read_again(path: Path) -> rehearsals.Document:
    """Read a rehearsal that was written."""
    return rehearsals.Reader(builtins.registry_of_builtins()).read(path)


def perform(place: Path, body: str, *, action: str = "backup", blueprint: str = BLUEPRINT) -> rehearsals.Outcome:
    """Perform a valid rehearsal."""
    reader = rehearsals.Reader(builtins.registry_of_builtins())
    document = reader.read(write(place, body, action=action, blueprint=blueprint))
    assert [finding.message for finding in document.found] == []
    return reader.perform(document, clock.FakeClock())


def given(place: Path, body: str = "", *, approve: bool = True, blueprint: str = BLUEPRINT) -> rehearsals.Outcome:
    """Perform a rehearsal of which only this is given; without a word its approval is given."""
    written = dedent(body) + ("approvals: [release]\n" if approve else "")
    document = f"given:\n{indent(written, '  ')}" if written else ""
    return perform(place, f"{document}expect: {{warnings: []}}\n", blueprint=blueprint)
