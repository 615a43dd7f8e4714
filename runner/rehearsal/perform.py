"""Performs a rehearsal: its action runs in the real engine until it ends, waits for a person or stands still."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
from msgspec import structs

from runner.base import clock, log, redact, secret
from runner.base import span as spans
from runner.base.jsonvalue import JsonValue
from runner.engine import events, host, inbox, journal, result, runs, session
from runner.engine import request as requests
from runner.engine.control import Control
from runner.engine.journal_memory import MemoryJournal
from runner.engine.request import Request
from runner.engine.run_state import RunState
from runner.model.blueprint import Action, Blueprint
from runner.model.rehearsal import Moment, Rehearsal, Result
from runner.plan.plan import Plan, PlanNode
from runner.registry.registry import Registry
from runner.rehearsal import play, secrets, stage

# Where relative paths start: what a rehearsal says must be true on every machine.
PLACE = Path("/rehearsal")
RUN = "rehearse"

_EVENTS: Mapping[str, type[events.Event]] = {
    "started": events.Started,
    "failed": events.AttemptFailed,
    "succeeded": events.Succeeded,
    "waiting": events.Gated,
    "retrying": events.RetryScheduled,
}


class Performance(msgspec.Struct, frozen=True, kw_only=True):
    """What a rehearsal has come to.

    Attributes:
        sequence: What was started, each node once.
        arguments: Rendered arguments of the last attempt of each node; secrets are masked.
        exports: The nodes whose exports the restore point holds.
        unused: Results that nothing asked for, with their nodes.
        storings: How often it was tried to store the restore point.
        unused_storings: Results of such attempts that were not made.
        unasked: Nodes for which nothing asked that a person was to approve or settle, with their pointers.
        missed: The cancel and the crashes whose moment did not come.
        standstill: Why the run could not go on, if it could not.
        redactor: Knows the secrets that were given.
    """

    state: RunState
    run: result.RunResult
    sequence: tuple[str, ...]
    arguments: Mapping[str, Mapping[str, JsonValue]]
    exports: tuple[str, ...]
    unused: tuple[tuple[str, Result], ...]
    storings: int
    unused_storings: tuple[Result, ...]
    unasked: tuple[tuple[str, str], ...]
    missed: tuple[Moment, ...]
    standstill: stage.Standstill | None
    redactor: redact.Redactor


def perform(rehearsal: Rehearsal, blueprint: Blueprint, plan: Plan, registry: Registry) -> Performance:
    """Run the action of a rehearsal that has no errors."""
    played = play.Play(plan, rehearsal.given.results)
    hidden = secrets.redactor(rehearsal, blueprint)
    storing = play.Storing(rehearsal.given.restore_point)
    application = stage.Host(played.registry(registry), rehearsal.given.time, hidden, storing)
    request = _request(rehearsal, blueprint, plan)
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as place:
        director = _Director(rehearsal, played, application, Path(place), request)
        standstill = director.direct()
        state = director.state
        return Performance(
            state=state,
            run=result.of_state(RUN, state, application.clock.now(), driven=False),
            sequence=tuple(dict.fromkeys(director.starts())),
            arguments=played.arguments,
            exports=tuple(_exports(application)),
            unused=tuple(played.unused()),
            storings=storing.attempts,
            unused_storings=tuple(storing.unused()),
            unasked=tuple(director.unasked()),
            missed=tuple(director.moments),
            standstill=standstill,
            redactor=hidden,
        )


class _Director:
    """Drives the run as often as it crashes, and does what people do to it."""

    def __init__(
        self, rehearsal: Rehearsal, played: play.Play, application: stage.Host, place: Path, request: Request
    ) -> None:
        self._given = rehearsal.given
        self._play = played
        self._application = application
        self._directory = runs.RunDirectory(place / RUN)
        self._control = Control()
        self._journal = MemoryJournal([self._create(request)])
        cancel = [self._given.cancel] if self._given.cancel else []
        self.moments = [*cancel, *self._given.crashes]
        self.state = runs.fold(self._directory, self._journal.records)

    def _create(self, request: Request) -> events.Record:
        """Make the run as `runs.Runs` does, in a directory that need not survive anything."""
        self._directory.path.mkdir()
        for name, value in request.inputs.items():
            if isinstance(value, secret.Secret):
                self._directory.sealed.put(f"inputs.{name}", value.reveal())
        created = events.RunCreated(run=RUN, nonce="", request=requests.to_json(request))
        return events.Record(seq=0, at=clock.isoformat(self._application.clock.now()), elapsed=0.0, event=created)

    def starts(self) -> Iterator[str]:
        """Yield the nodes of all starts."""
        for record in self._journal.records:
            if isinstance(record.event, events.Started):
                yield record.event.node

    def unasked(self) -> Iterator[tuple[str, str]]:
        """Yield the nodes for which nothing asked that a person was to do, with their pointers."""
        done = [(type(each.event), getattr(each.event, "node", "")) for each in self._journal.records]
        for index, node in enumerate(self._given.approvals):
            if (events.Approved, node) not in done:
                yield node, f"/given/approvals/{index}"
        for node in self._given.settle:
            if (events.Settled, node) not in done:
                yield node, spans.pointer(["given", "settle", node])

    def direct(self) -> stage.Standstill | None:
        """Go on until the run has ended or waits for somebody; returns why if it stands still before."""
        for node in self._given.approvals:
            inbox.post(self._directory.inbox, inbox.Approve(node))
        while not self.state.is_finished:
            try:
                self._drive()
            except stage.Crash:
                self._resume()
            except stage.Standstill as standstill:
                return standstill
            else:
                if not self._let_approval_expire():
                    return None
        return None

    def _drive(self) -> None:
        created = self.state.created
        assert created is not None, "the journal begins with the creation of the run"
        self._control = Control()
        about = session.Session(
            directory=self._directory,
            request=self._directory.request(created),
            created=created,
            state=self.state,
            host=self._application,
            services=self._application,
            logger=log.NullLogger(),
            observer=host.Silent(),
        )
        stage.Drive(about, self._journal, self._control, self._watch).run()

    def _resume(self) -> None:
        """Go on from what a journal file would hold."""
        written = [journal.decode(journal.encode(each, each.seq), each.seq)[0] for each in self._journal.records]
        self._journal = MemoryJournal(written)
        self.state = runs.fold(self._directory, written)

    def _let_approval_expire(self) -> bool:
        """Let time pass until an approval that nobody gives is overdue; tells whether there was one."""
        for name in sorted(self._play.unanswered & self.state.undecided.keys()):
            gate = self.state.nodes[name].gate
            if gate is not None and gate.until is not None:
                now = self._application.clock.now()
                self._application.clock.advance((clock.parse_isoformat(gate.until) - now).total_seconds())
                self._play.unanswered.discard(name)
                return True
        return False

    def _watch(self, event: events.Event) -> bool:
        """Do what people do at this moment; tells whether the runner is to be killed."""
        if isinstance(event, events.InDoubt) and event.node in self._given.settle:
            inbox.post(self._directory.inbox, inbox.Settle(event.node, self._given.settle[event.node]))
        come = [moment for moment in self.moments if _is_at(moment, event, self.state)]
        if self._given.cancel in come:
            self.moments.remove(self._given.cancel)
            self._control.cancel()
            if isinstance(event, events.Started):
                self._play.cancelled_at = (event.node, event.attempt)
        crash = next((moment for moment in come if moment in self._given.crashes), None)
        if crash is not None:
            self.moments.remove(crash)
        return crash is not None


def _is_at(moment: Moment, event: events.Event, state: RunState) -> bool:
    if type(event) is not _EVENTS[moment.event] or getattr(event, "node", "") != moment.after:
        return False
    return moment.attempt in (None, state.nodes[moment.after].attempt)


def _request(rehearsal: Rehearsal, blueprint: Blueprint, plan: Plan) -> Request:
    given, action = rehearsal.given, blueprint.actions[rehearsal.action]
    return Request(
        plan=_predictable(plan),
        blueprint_text=blueprint.text,
        inputs=dict(_inputs(action, given.inputs)),
        artifacts_in=given.artifacts_in,
        object=given.object,
        profile=given.profile,
    )


def _inputs(action: Action, given: Mapping[str, JsonValue]) -> Iterator[tuple[str, JsonValue | secret.Secret]]:
    for name, declared in action.inputs.items():
        if name not in given and not declared.has_default:
            continue
        value = given.get(name, declared.default)
        if declared.type == "path":
            value = str(PLACE / str(value))
        yield name, _secret(name, secrets.text_of(value)) if declared.secret else value


def _secret(name: str, text: str) -> secret.Secret:
    return secret.Secret(f"inputs.{name}", lambda: text)


def _predictable(plan: Plan) -> Plan:
    """Return a plan without what depends on chance or on other runs."""
    return structs.replace(
        plan,
        nodes=tuple(map(_without_jitter, plan.nodes)),
        defer=None if plan.defer is None else _without_jitter(plan.defer),
        concurrency=structs.replace(plan.concurrency, group=""),
    )


def _without_jitter(node: PlanNode) -> PlanNode:
    return structs.replace(
        node,
        retry=structs.replace(node.retry, jitter=0.0),
        revert=None if node.revert is None else _without_jitter(node.revert),
        cleanup=None if node.cleanup is None else _without_jitter(node.cleanup),
    )


def _exports(application: stage.Host) -> Iterator[str]:
    for draft in application.points.values():
        yield from (f"{export.phase}/{export.key}" if export.key else export.phase for export in draft.exports)
