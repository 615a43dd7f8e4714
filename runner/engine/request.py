"""What a run is asked to do: the plan and everything of the world that it will need, frozen before it starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from runner.base import secret
from runner.base.jsonvalue import JsonObject, JsonValue
from runner.plan import codec
from runner.plan.plan import Plan


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One run to be.

    Attributes:
        plan: What to do.
        blueprint_text: The blueprint as it was read; kept in the restore point.
        inputs: Values of all inputs; secrets as `Secret`, sealed when the run is created.
        artifacts_in: Artifacts that the action takes in: name to key to value.
        object: The object that the run is about (`kind`, `namespace`, `name`, …), if any.
        profile: Facts of the location profile that templates may read.
        location: How the location is found again on resume; never a passphrase.
        restore_point: The restore point that the run restores from, if any.
        overwrite: Whether existing data may be written over.
    """

    plan: Plan
    blueprint_text: str
    inputs: Mapping[str, JsonValue | secret.Secret] = msgspec.field(default_factory=dict)
    artifacts_in: JsonObject = msgspec.field(default_factory=dict)
    object: JsonObject | None = None
    profile: JsonObject | None = None
    location: JsonObject = msgspec.field(default_factory=dict)
    restore_point: str | None = None
    overwrite: bool = False

    @property
    def object_name(self) -> str | None:
        """The object as `KIND/NAMESPACE/NAME`."""
        if self.object is None:
            return None
        return "/".join(str(self.object.get(part, "")) for part in ("kind", "namespace", "name"))

    @property
    def plain_inputs(self) -> dict[str, JsonValue]:
        """The inputs that are not secret."""
        return {name: value for name, value in self.inputs.items() if not isinstance(value, secret.Secret)}


def to_json(request: Request) -> dict[str, JsonValue]:
    """Write a request without its secret inputs."""
    return {
        "plan": codec.to_json(request.plan),
        "blueprintText": request.blueprint_text,
        "inputs": request.plain_inputs,
        "secretInputs": [name for name, value in request.inputs.items() if isinstance(value, secret.Secret)],
        "artifactsIn": request.artifacts_in,
        "object": request.object,
        "profile": request.profile,
        "location": request.location,
        "restorePoint": request.restore_point,
        "overwrite": request.overwrite,
    }


def from_json(value: Mapping[str, Any], sealed: Callable[[str], secret.Secret]) -> Request:
    """Read what `to_json` wrote; `sealed` returns the placeholder of a secret input."""
    return Request(
        plan=codec.from_json(value["plan"]),
        blueprint_text=value["blueprintText"],
        inputs={**value["inputs"], **{name: sealed(name) for name in value["secretInputs"]}},
        artifacts_in=value["artifactsIn"],
        object=value["object"],
        profile=value["profile"],
        location=value["location"],
        restore_point=value["restorePoint"],
        overwrite=value["overwrite"],
    )
