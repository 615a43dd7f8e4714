"""Planted secrets are found nowhere: not in the journal, the plan, the log, errors, output, restore points or argv."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
from hypothesis import strategies as st

from runner.cli import main

# The phase passes its secret on in every way that is allowed, and tries to leak it in every way that a program can.
BLUEPRINT = """
apiVersion: blueprint-runner.dev/v1
kind: Blueprint
metadata: {name: leaky}
actions:
  backup:
    inputs:
      password: {type: string, secret: true, required: true}
      ending: {type: string, default: "true"}
    outputArtifacts:
      data: {keyValue: {export: "{{ phases.data.outputs.export }}"}}
    phases:
    - name: login
      func: RunCommand
      args:
        script: |
          printf '%s\\n' "$PLAIN" "$AROUND"
          printf '%s\\n' "$PLAIN" >&2
          tr '\\0' ' ' < /proc/self/cmdline | tr -d '#'
          cat
          printf '###Phase-output###: {"key": "token", "value": "%s"}\\n' "$ENCODED"
          digest=$(printf %s "$PLAIN" | sha256sum | cut -c -64)
          printf '###Phase-output###: {"key": "digest", "value": "%s"}\\n' "$digest"
          echo "$digest"
        env:
          PLAIN: "{{ inputs.password }}"
          AROUND: "user:{{ inputs.password }}@host"
          ENCODED: "{{ inputs.password | b64enc }}"
        stdin: "{{ inputs.password }}"
        idempotent: true
      outputs:
        token: {type: string, secret: true}
        digest: {type: string, secret: true}
    - name: data
      func: BackupStream
      args: {script: "test -n \\"$TOKEN\\" && echo data", env: {TOKEN: "{{ phases.login.outputs.token }}"}}
    - name: end
      func: RunCommand
      args: {script: "echo $PLAIN >&2; {{ inputs.ending }}", env: {PLAIN: "{{ inputs.password }}"}, idempotent: true}
"""

SECRETS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x17F, exclude_characters="'$`"), min_size=8)


@contextlib.contextmanager
def _environment(**variables: str) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _holders(place: Path, value: bytes) -> list[str]:
    return [str(path) for path in place.rglob("*") if path.is_file() and value in path.read_bytes()]


@hypothesis.settings(max_examples=6, deadline=None)
@hypothesis.example(value='pa"ss\\word-1', ending="exit 3", how="environment")
@hypothesis.given(
    value=SECRETS, ending=st.sampled_from(["true", "exit 3"]), how=st.sampled_from(["file", "environment"])
)
def test_a_planted_secret_is_found_nowhere(value: str, ending: str, how: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        (place / "blueprint.yaml").write_text(BLUEPRINT)
        arguments = ["exec", str(place / "blueprint.yaml"), "--set", f"ending={ending}", "-o", "json", "-v"]
        variables = {"RUNNER_STATE_DIR": str(place / "state")}
        if how == "file":
            arguments += ["--set-file", "password=/dev/fd/{}"]
            source, sink = os.pipe()
            os.write(sink, value.encode())
            os.close(sink)
            arguments[-1] = f"password=/dev/fd/{source}"
        else:
            variables["RUNNER_INPUT_PASSWORD"] = value
        out, err = io.StringIO(), io.StringIO()
        with _environment(**variables), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main.run(arguments)
            main.run(["show", json.loads(out.getvalue())["run"]["id"], "-o", "json"])
            main.run(["logs", json.loads(out.getvalue().split("\n}\n")[0] + "\n}")["run"]["id"]])

        assert code == (0 if ending == "true" else 1), err.getvalue()
        shown = out.getvalue() + err.getvalue()
        digest = hashlib.sha256(value.encode()).hexdigest()
        for form in (value, base64.b64encode(value.encode()).decode(), digest):
            assert form not in shown
            assert json.dumps(form)[1:-1] not in shown
            assert _holders(place / "state", form.encode()) == []
