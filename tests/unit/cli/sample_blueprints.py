"""Blueprints that the tests of the command line run."""

from __future__ import annotations

from pathlib import Path

FILES = """\
apiVersion: blueprint-runner.dev/v1
kind: Blueprint
metadata:
  name: papers
actions:
  backup:
    inputs:
      source: {type: path, default: ./papers}
    outputArtifacts:
      files: {keyValue: {export: "{{ phases.files.outputs.export }}"}}
    phases:
    - name: files
      func: BackupFiles
      args: {paths: ["{{ inputs.source }}"]}
  restore:
    inputArtifactNames: [files]
    inputs:
      target: {type: path, default: ./restored}
    phases:
    - name: files
      func: RestoreFiles
      args: {export: "{{ artifactsIn.files.export }}", target: "{{ inputs.target }}"}
  forget:
    phases:
    - name: nothing
      func: Pause
      args: {duration: 0s}
"""

FAILING = """\
apiVersion: blueprint-runner.dev/v1
kind: Blueprint
metadata:
  name: failing
actions:
  backup:
    phases:
    - name: quiesce
      func: RunCommand
      args: {script: "echo quiesced"}
      cleanup: {func: RunCommand, args: {script: "echo released"}}
      revert: {func: RunCommand, args: {script: "echo undone"}}
    - name: dump
      func: RunCommand
      args: {script: "echo the disk is on fire >&2; exit 7"}
    - name: after
      func: RunCommand
      args: {script: "true"}
"""

# One phase is tolerated, one skipped, one of three instances fails.
DIVIDED = """\
apiVersion: blueprint-runner.dev/v1
kind: Blueprint
metadata:
  name: divided
actions:
  backup:
    inputs:
      deep: {type: boolean, default: false}
      parts: {type: array, default: [orders, users, ledger]}
    phases:
    - name: quiesce
      func: RunCommand
      args: {script: "echo quiesced"}
      cleanup: {func: RunCommand, args: {script: "echo released"}}
    - name: thumbnails
      onError: continue
      func: RunCommand
      args: {script: "exit 3"}
    - name: snapshot
      foreach: {items: inputs.parts, maxParallel: 1}
      func: RunCommand
      args: {script: "test {{ item | sh }} != ledger"}
      revert: {func: RunCommand, args: {script: "echo undone"}}
    - name: check
      needs: [quiesce]
      when: inputs.deep
      func: RunCommand
      args: {script: "true"}
    - name: export
      func: RunCommand
      args: {script: "true"}
    deferPhase:
      func: RunCommand
      args: {script: "echo over"}
"""

WAITING = """\
apiVersion: blueprint-runner.dev/v1
kind: Blueprint
metadata:
  name: waiting
actions:
  backup:
    phases:
    - name: gate
      func: Approve
      args: {message: "delete the old system?"}
    - name: after
      func: RunCommand
      args: {script: "true"}
"""

# It exports, and then waits for a person before it commits.
GATED = """\
apiVersion: blueprint-runner.dev/v1
kind: Blueprint
metadata:
  name: gated
actions:
  backup:
    inputs:
      source: {type: path, default: ./papers}
    outputArtifacts:
      files: {keyValue: {export: "{{ phases.files.outputs.export }}"}}
    phases:
    - name: files
      func: BackupFiles
      args: {paths: ["{{ inputs.source }}"]}
    - name: gate
      func: Approve
      args: {message: go on?}
"""

IMAGE = """\
apiVersion: blueprint-runner.dev/v1
kind: Blueprint
metadata:
  name: image
actions:
  backup:
    inputs:
      source: {type: path, default: ./source}
    phases:
    - name: image
      func: SnapshotVolume
      args: {volume: "{{ inputs.source }}"}
"""

# Its second phase takes very long.
SLOW = """\
apiVersion: blueprint-runner.dev/v1
kind: Blueprint
metadata:
  name: slow
actions:
  backup:
    inputs:
      marks: {type: path, default: ./marks}
    phases:
    - name: quiesce
      func: RunCommand
      args: {script: 'echo done >> "$MARKS"', env: {MARKS: "{{ inputs.marks }}"}}
      revert:
        func: RunCommand
        args: {script: 'echo undone >> "$MARKS"', env: {MARKS: "{{ inputs.marks }}"}}
    - name: dump
      func: RunCommand
      args: {script: 'sleep 600'}
"""

# It keeps what it was given.
SECRET = """\
apiVersion: blueprint-runner.dev/v1
kind: Blueprint
metadata:
  name: secretive
actions:
  backup:
    inputs:
      password: {type: string, required: true, secret: true, description: Of the owner.}
      got: {type: path, default: ./got}
    phases:
    - name: keep
      func: RunCommand
      args:
        script: 'printf %s "$PASSWORD" > "$GOT"'
        env: {PASSWORD: "{{ inputs.password }}", GOT: "{{ inputs.got }}"}
"""


def write(directory: Path, text: str, name: str = "blueprint.yaml") -> Path:
    """Write a blueprint and return its path."""
    path = directory / name
    path.write_text(text)
    return path


def papers(directory: Path) -> Path:
    """Make the files that `FILES` backs up."""
    source = directory / "papers"
    source.mkdir()
    (source / "letter.txt").write_text("dear reader\n" * 100)
    (source / "empty").write_text("")
    return source


MANY = """\
apiVersion: blueprint-runner.dev/v1
kind: Blueprint
metadata:
  name: many
actions:
  backup:
    concurrency: {maxParallel: 1}
    inputs:
      names: {type: array, default: [left, right]}
      extra: {type: boolean, default: false}
    phases:
    - {name: extra, func: RunCommand, when: inputs.extra, args: {command: ["true"]}}
    - {name: each, func: RunCommand, foreach: {items: inputs.names}, args: {command: [echo, "{{ item }}"]}}
    - {name: nothing, func: RunCommand, foreach: {items: []}, args: {command: ["false"]}}
    - {name: shaky, func: RunCommand, onError: continue, args: {command: ["false"]}}
    - {name: after, func: RunCommand, args: {command: ["true"]}}
"""

# Its commands say secrets: an input that they were not given, and an output of an earlier phase.
TALKATIVE = """\
apiVersion: blueprint-runner.dev/v1
kind: Blueprint
metadata: {name: talkative}
actions:
  backup:
    inputs:
      password: {type: string, secret: true, required: true}
    phases:
    - name: make
      func: RunCommand
      args:
        script: |
          printf "sword%s\\n" fish
          printf "key=hunter%s\\n" 22 > "$RUNNER_OUTPUT_FILE"
        idempotent: true
      outputs: {key: {type: string, secret: true}}
    - name: tell
      func: RunCommand
      args: {script: 'printf "hunter%s\\n" 22', env: {P: "{{ inputs.password }}"}, idempotent: true}
"""
