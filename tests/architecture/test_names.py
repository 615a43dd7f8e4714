"""Modules are named after what they hold, and hold no state of their own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

import pytest

# Names that say nothing, and words that mean something else here (see the glossary in docs/architecture.md).
NOTHING = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers", "core", "stuff", "shared"}
OTHER_WORDS = {"workflow", "playbook", "dag", "job", "backend", "vault", "rollback", "finally", "recovery_point"}
CONTAINERS = {
    "list",
    "dict",
    "set",
    "bytearray",
    "defaultdict",
    "deque",
    "OrderedDict",
    "Counter",
    "WeakValueDictionary",
}
MUTATORS = {
    "append", "extend", "insert", "add", "update", "setdefault", "pop", "popitem", "remove", "discard", "clear",
    "appendleft", "popleft",
}  # fmt: skip


def test_no_module_has_a_name_that_says_nothing(modules: list[Any]) -> None:
    parts = {(part, module.place) for module in modules for part in module.path.with_suffix("").parts[-3:]}
    assert [place for part, place in parts if part in NOTHING | OTHER_WORDS] == []


def _is_container(value: ast.expr | None) -> bool:
    if isinstance(value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp):
        return True
    if not isinstance(value, ast.Call):
        return False
    called = value.func.attr if isinstance(value.func, ast.Attribute) else getattr(value.func, "id", "")
    return called in CONTAINERS


def _module_containers(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if isinstance(node, ast.Assign | ast.AnnAssign) and _is_container(node.value):
            yield from ((target.id, node.lineno) for target in targets if isinstance(target, ast.Name))


def _changed_names(tree: ast.Module) -> set[str]:
    """Names on which something is called or assigned that changes a container."""
    calls = {
        node.func.value.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if isinstance(node.func.value, ast.Name) and node.func.attr in MUTATORS
    }
    items = {
        node.value.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del)
        if isinstance(node.value, ast.Name)
    }
    return calls | items


def mutable_globals(tree: ast.Module) -> list[str]:
    """Module-level containers that are not constants: lower-case, or changed somewhere in the module."""
    changed = _changed_names(tree)
    globals_ = [name for node in ast.walk(tree) if isinstance(node, ast.Global) for name in node.names]
    return globals_ + [
        f"{name} (line {line})"
        for name, line in _module_containers(tree)
        if not name.startswith("__") and (name.upper() != name or name in changed)
    ]


def test_no_module_keeps_state(modules: list[Any]) -> None:
    assert {module.place: found for module in modules if (found := mutable_globals(module.tree))} == {}


@pytest.mark.parametrize(
    "source",
    [
        "cache = {}",
        "SEEN = set()\ndef f():\n    SEEN.add(1)",
        "TABLE = {}\ndef f():\n    TABLE['a'] = 1",
        "import collections\nnames: object = collections.defaultdict(list)",
        "count = 0\ndef f():\n    global count\n    count += 1",
    ],
)
def test_state_in_a_module_is_found(source: str) -> None:
    assert mutable_globals(ast.parse(source))


def test_a_constant_table_is_not_state() -> None:
    assert mutable_globals(ast.parse("TABLE = {'a': 1}\n__all__ = ['TABLE']\ndef f():\n    return TABLE['a']")) == []


def test_only_the_command_line_prints(modules: list[Any]) -> None:
    printing = [
        f"{module.place}:{node.lineno}"
        for module in modules
        if not module.place.startswith("runner/cli/")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert printing == []
