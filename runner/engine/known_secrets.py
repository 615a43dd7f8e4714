"""What a run knows to be secret is masked in whatever its commands say, also where nobody has passed it to them."""

from __future__ import annotations

import contextlib

from runner.base import errors, secret
from runner.engine.session import Session
from runner.plan.plan import PlanNode


def learn(session: Session) -> None:
    """Let the redactor know the secret inputs, and the secret outputs that earlier drives have left."""
    for value in session.request.inputs.values():
        if isinstance(value, secret.Secret):
            _learn(session, value)
    for node in session.state.by_id.values():
        learn_outputs(session, node)


def learn_outputs(session: Session, node: PlanNode) -> None:
    """Let the redactor know the secret outputs of a node, if there are any yet."""
    for name, output in node.outputs.items():
        if output.secret:
            _learn(session, session.directory.sealed.secret(f"{node.id}.{name}"))


def _learn(session: Session, value: secret.Secret) -> None:
    # What cannot be read now is no secret of this machine yet; the phase that needs it says what is wrong.
    with contextlib.suppress(errors.RunnerError, OSError):
        session.host.redactor.learn(value.reveal())
