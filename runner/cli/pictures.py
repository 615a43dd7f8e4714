"""Plans and runs in the forms that `--format` offers: text, JSON, Mermaid, SVG."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click

from runner.base.jsonvalue import JsonObject
from runner.cli import console as consoles
from runner.cli import settings as settings_module

if TYPE_CHECKING:
    from runner.plan.drawing.picture import Picture

DRAWN = frozenset({"mermaid", "svg"})

option = click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "mermaid", "svg"]),
    help="Form of the result; mermaid and svg are pictures. [default: as -o]",
)


def show(
    console: consoles.Console,
    form: str | None,
    *,
    data: Callable[[], JsonObject],
    text: Callable[[], Iterable[str]],
    picture: Callable[[], Picture],
) -> None:
    """Print something in the form that was asked for."""
    if form == "svg":
        from runner.plan.drawing import svg

        console.out.write(svg.write(picture()))
        return
    if form == "mermaid":
        from runner.plan.drawing import mermaid

        console.out.write(mermaid.write(picture()))
        return
    if form is not None:
        console.settings.output = settings_module.Output(form)
    console.result({} if console.is_text else data(), text)
