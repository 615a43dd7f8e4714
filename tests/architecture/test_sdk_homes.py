"""Every foreign package has a home: the only part of the project that may import it."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

HOMES = {
    "argon2": ("runner/repository",),
    "blake3": ("runner/repository",),
    "boto3": ("runner/storage/aws", "runner/locations/retention.py", "runner/keyservices/aws_kms.py"),
    "botocore": ("runner/locations/retention.py", "runner/keyservices/aws_kms.py"),
    "cbor2": ("runner/repository",),
    "click": ("runner/cli", "runner/__main__.py"),
    "crc32c": ("runner/engine",),
    "cryptography": ("runner/repository",),
    "durationpy": ("runner/base/durations.py",),
    "jinja2": ("runner/templates", "runner/dashboard"),
    "jsonschema": ("runner/document",),
    "jsonschema_rs": ("runner/document",),
    "kubernetes": ("runner/kube",),
    "msgspec": ("runner",),
    "networkx": ("runner/plan",),
    "obstore": ("runner/locations",),
    "openstack": ("runner/storage/openstack",),
    "packaging": ("runner/checks",),
    "pathspec": ("runner/repository",),
    "psutil": ("runner/base", "runner/processes"),
    "pydantic": ("runner/registry", "runner/functions", "runner/engine"),
    "pydantic_core": ("runner/registry",),
    "pyfastcdc": ("runner/repository",),
    "pytest": ("runner/testing",),
    "pyVmomi": ("runner/storage/vsphere",),
    "re2": ("runner/templates",),
    "referencing": ("runner/document",),
    "rich": ("runner/cli",),
    "yaml": ("runner/document",),
    "zstandard": ("runner/repository",),
}


def _for_types_only(tree: ast.Module) -> set[ast.AST]:
    blocks = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    return {inner for block in blocks for inner in ast.walk(block)}


def _imported(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in set(ast.walk(tree)) - _for_types_only(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name.split(".")[0], node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None and node.level == 0:
            yield node.module.split(".")[0], node.lineno


def _foreign(module: Any) -> list[tuple[str, int]]:
    own = {*sys.stdlib_module_names, "runner"}
    return [(name, line) for name, line in _imported(module.tree) if name not in own]


def strangers(place: str, imports: list[tuple[str, int]]) -> list[str]:
    """Imports that have no home, or are not at home in this file."""
    return [f"{place}:{line} {name}" for name, line in imports if not place.startswith(HOMES.get(name, ()) or ("?",))]


def test_foreign_packages_are_imported_only_at_home(modules: list[Any]) -> None:
    assert [found for module in modules for found in strangers(module.place, _foreign(module))] == []


def _declared(top: Path) -> set[str]:
    with (top / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    lines = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    return {re.split(r"[^\w.-]", line)[0].lower() for line in lines}


def test_foreign_packages_are_declared_as_dependencies(top: Path, modules: list[Any]) -> None:
    imported = {name for module in modules for name, _ in _foreign(module)}
    distributions = metadata.packages_distributions()
    names = {name: {item.lower() for item in distributions.get(name, [name])} for name in imported}
    assert {name for name, of in names.items() if not of & _declared(top)} - {"pydantic_core"} == set()


@pytest.mark.parametrize(("place", "name"), [("runner/engine/drive.py", "networkx"), ("runner/plan/graph.py", "numpy")])
def test_a_package_that_is_not_at_home_is_found(place: str, name: str) -> None:
    assert strangers(place, [(name, 1)]) == [f"{place}:1 {name}"]
