"""Builds the models from nodes whose shape has been checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from runner.base import durations
from runner.base import span as spans
from runner.base.diagnostic import Diagnostic
from runner.document import nodes
from runner.model import kinds
from runner.model import location_profile as location_profiles
from runner.model.blueprint import (
    Action,
    Blueprint,
    Concurrency,
    Foreach,
    Input,
    Level,
    OutputDeclaration,
    Phase,
    Requires,
    RetrySpec,
    Undo,
)
from runner.model.location_profile import LocationProfile


class _Part:
    """A mapping of the document with the pointer that leads to it; what is missing or null is None."""

    def __init__(self, values: Any, pointer: str) -> None:
        # Only mappings come here: the schema has been checked.
        self.values: Mapping[str, Any] = values or {}
        self.pointer = pointer

    def get(self, key: str, default: Any = None) -> Any:
        value = self.values.get(key)
        return default if value is None else value

    def has(self, key: str) -> bool:
        return self.values.get(key) is not None

    def part(self, key: str) -> _Part:
        return _Part(self.get(key), self.pointer + spans.pointer([key]))

    def named(self, key: str) -> Iterator[tuple[str, _Part]]:
        """Yield the mappings in the mapping under a key."""
        under = self.part(key)
        for name in under.values:
            yield name, under.part(name)

    def each(self, key: str) -> Iterator[_Part]:
        """Yield the mappings in the list under a key."""
        for index, values in enumerate(self.get(key, ())):
            yield _Part(values, f"{self.pointer}/{key}/{index}")


class BlueprintBuilder:
    """Builds one blueprint; collects what only turns up while values are converted."""

    def __init__(self, root: nodes.MapNode) -> None:
        self.found: list[Diagnostic] = []
        self._root = root

    def blueprint(self, text: str, file: str) -> Blueprint:
        """Build the whole."""
        part = _Part(self._root.plain(), "")
        metadata = part.part("metadata")
        api_version = part.get("apiVersion")
        return Blueprint(
            level=Level.KANISTER if api_version == kinds.KANISTER else Level.OWN,
            api_version=api_version,
            name=metadata.get("name") or Path(file).stem,
            description=part.get("description", ""),
            actions={name: self._action(name, action) for name, action in part.named("actions")},
            retry_policies={name: self._retry(policy) for name, policy in part.named("retryPolicies")},
            requires=_requires(part.part("requires")),
            text=text,
            file=file,
            root=self._root,
        )

    def _action(self, name: str, part: _Part) -> Action:
        return Action(
            name=name,
            pointer=part.pointer,
            kind=part.get("kind"),
            inputs={key: _input(key, value) for key, value in part.named("inputs")},
            phases=tuple(self._phase(phase) for phase in part.each("phases")),
            defer=self._phase(part.part("deferPhase")) if part.has("deferPhase") else None,
            output_artifacts={key: value.part("keyValue").values for key, value in part.named("outputArtifacts")},
            input_artifact_names=tuple(part.get("inputArtifactNames", ())),
            secret_names=tuple(part.get("secretNames", ())),
            config_map_names=tuple(part.get("configMapNames", ())),
            timeout=self._duration(part, "timeout"),
            concurrency=_concurrency(part.part("concurrency")) if part.has("concurrency") else None,
            description=part.get("description", ""),
        )

    def _phase(self, part: _Part) -> Phase:
        return Phase(
            name=part.get("name", "defer"),
            **self._call(part),
            needs=tuple(part.get("needs")) if part.has("needs") else None,
            revert=self._undo(part, "revert"),
            cleanup=self._undo(part, "cleanup"),
            outputs={key: _output(key, value) for key, value in part.named("outputs")},
            when=_condition(part.get("when")),
            foreach=_foreach(part.part("foreach")) if part.has("foreach") else None,
            tolerate=part.get("onError") == "continue",
            objects=part.get("objects", {}),
        )

    def _undo(self, part: _Part, key: str) -> Undo | None:
        return Undo(**self._call(part.part(key))) if part.has(key) else None

    def _call(self, part: _Part) -> dict[str, Any]:
        retry = part.get("retry")
        return {
            "function": part.get("func", ""),
            "arguments": part.get("args", {}),
            "pointer": part.pointer,
            "timeout": self._duration(part, "timeout"),
            "retry": self._retry(part.part("retry")) if isinstance(retry, Mapping) else retry,
            "description": part.get("description", ""),
        }

    def _retry(self, part: _Part) -> RetrySpec:
        backoff = part.part("backoff")
        return RetrySpec(
            limit=int(part.get("limit")),
            errors=tuple(part.get("errors")) if part.has("errors") else None,
            initial=self._duration(backoff, "initial"),
            factor=backoff.get("factor"),
            maximum=self._duration(backoff, "max"),
            jitter=backoff.get("jitter"),
        )

    def _duration(self, part: _Part, key: str) -> timedelta | None:
        text = part.get(key)
        if text is None:
            return None
        message, hint = "a timeout of nothing leaves no time to do anything", "write a longer one, or remove the key"
        try:
            duration = durations.parse(text)
            if duration or key != "timeout":
                return duration
        except ValueError as error:
            # The form is right, so it is longer than any duration can be.
            message, hint = str(error), "write a shorter duration"
        node = nodes.nearest(self._root, part.pointer + spans.pointer([key]))
        self.found.append(Diagnostic(code="KB204", message=message, span=node.span, hint=hint))
        return None


def location_profile(root: nodes.MapNode, path: Path) -> LocationProfile:
    """Build a location profile; `path` is its file, at whose directory relative paths start."""
    part = _Part(root.plain(), "")
    return LocationProfile(
        name=part.part("metadata").get("name"),
        settings=location_profiles.with_absolute_paths(part.part("spec").values, path.absolute().parent),
        file=str(path),
    )


def _condition(written: str | bool | None) -> str | None:
    """Return a condition as an expression; a boolean in the document is one as well."""
    return str(written).lower() if isinstance(written, bool) else written


def _foreach(part: _Part) -> Foreach:
    return Foreach(
        items=part.get("items"),
        key=part.get("key"),
        max_parallel=_whole(part, "maxParallel"),
        fail_fast=part.get("failFast", False),
        pointer=part.pointer,
    )


def _concurrency(part: _Part) -> Concurrency:
    return Concurrency(
        group=part.get("group"),
        queue=part.get("onBusy", "queue") == "queue",
        max_parallel=_whole(part, "maxParallel"),
        pointer=part.pointer,
    )


def _requires(part: _Part) -> Requires:
    return Requires(
        functions=tuple(part.get("functions", ())),
        capabilities=tuple(part.get("capabilities", ())),
        runner=part.get("runner", ""),
    )


def _whole(part: _Part, key: str) -> int | None:
    """Read a whole number, which a document may also write as 4.0."""
    return int(part.get(key)) if part.has(key) else None


def _input(name: str, part: _Part) -> Input:
    return Input(
        name=name,
        type=part.get("type", "string"),
        default=part.values.get("default"),
        has_default="default" in part.values,
        required=part.get("required", False),
        enum=tuple(part.get("enum", ())),
        pattern=part.get("pattern"),
        secret=part.get("secret", False),
        description=part.get("description", ""),
        pointer=part.pointer,
    )


def _output(name: str, part: _Part) -> OutputDeclaration:
    return OutputDeclaration(
        name=name,
        type=part.get("type", "string"),
        secret=part.get("secret", False),
        description=part.get("description", ""),
        pointer=part.pointer,
    )
