"""What everything within one drive of a run shares: its identity, its state, its services."""

from __future__ import annotations

from datetime import datetime

import msgspec

from runner.base import clock, ids, log
from runner.engine import events
from runner.engine import host as hosts
from runner.engine.request import Request
from runner.engine.run_state import RunState
from runner.engine.runs import RunDirectory


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One drive of one run. Functions see it only through `phase_context.Context`."""

    directory: RunDirectory
    request: Request
    created: events.RunCreated
    state: RunState
    host: hosts.Host
    services: hosts.RunServices
    logger: log.Logger
    observer: hosts.Observer

    @property
    def started_at(self) -> datetime:
        """When the run was started."""
        return clock.parse_isoformat(self.state.started_at)

    def token(self, name: str, key: str = "") -> str:
        """Return the token of a node: equal over attempts and resumes, different for every other run."""
        return ids.token(self.created.run, self.created.nonce, self.request.plan.action, name, key)


def run_token(created: events.RunCreated) -> str:
    """Return the token that all processes of a run carry in their environment."""
    return ids.token(created.run, created.nonce)
