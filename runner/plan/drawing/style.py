"""The colours and lines of a picture, for light and dark; states differ by sign as well as by colour."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

FONT = 'ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", Arial, sans-serif'

# What a class paints, in light and in dark: property to colours.
_COLOURS: Mapping[str, Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        ".ground": {"fill": ("#fbfcfe", "#0f141b")},
        ".box, .behind": {"fill": ("#ffffff", "#18202a"), "stroke": ("#cfd8e3", "#334050")},
        ".frame": {"fill": ("#f3f6fa", "#141b24"), "stroke": ("#dbe2eb", "#2a3644")},
        ".name": {"fill": ("#172130", "#eef2f7")},
        ".quiet": {"fill": ("#566274", "#a3b0c0")},
        ".faint, .step": {"fill": ("#7b8798", "#8592a4")},
        ".rule": {"stroke": ("#d5dde7", "#354253")},
        ".order path": {"stroke": ("#a6b1be", "#5f6d7e")},
        ".order .tip": {"fill": ("#a6b1be", "#5f6d7e")},
        ".last path": {"stroke": ("#b9c2cd", "#556273")},
        ".last .tip": {"fill": ("#b9c2cd", "#556273")},
        ".needs path": {"stroke": ("#64748b", "#94a3b5")},
        ".needs .tip": {"fill": ("#64748b", "#94a3b5")},
        ".data path": {"stroke": ("#2563eb", "#6ba5fb")},
        ".data .tip": {"fill": ("#2563eb", "#6ba5fb")},
        ".export": {"fill": ("#0d9488", "#2dd4bf")},
        ".plain rect": {"fill": ("#eef2f7", "#263241")},
        ".plain text": {"fill": ("#475569", "#bcc8d6")},
        ".choice rect": {"fill": ("#f0ebfe", "#33295c")},
        ".choice text": {"fill": ("#5b34b5", "#cbbcfd")},
        ".many rect": {"fill": ("#e1edff", "#1d3359")},
        ".many text": {"fill": ("#1e4fb8", "#a3c8fe")},
        ".risk rect": {"fill": ("#fdf0d2", "#40310f")},
        ".risk text": {"fill": ("#8a5208", "#f5cd6b")},
        ".wrong rect": {"fill": ("#fee4e2", "#4c1d1d")},
        ".wrong text": {"fill": ("#b42318", "#fda29b")},
        ".sign path, .sign circle": {"stroke": ("#ffffff", "#0f141b")},
        ".green": {"fill": ("#15803d", "#4ade80")},
        ".red": {"fill": ("#c81e1e", "#f87171")},
        ".blue": {"fill": ("#2563eb", "#6ba5fb")},
        ".amber": {"fill": ("#b45309", "#fbbf24")},
        ".grey": {"fill": ("#8592a4", "#728094")},
    }
)

_FIXED = """\
text {{ font-family: {font}; }}
.box, .behind {{ stroke-width: 1.25; }}
.off .box {{ stroke-dasharray: 5 4; }}
.off .name, .off .quiet, .off .faint {{ opacity: 0.6; }}
.rule {{ stroke-width: 1; stroke-dasharray: 1.5 3; }}
.link path {{ fill: none; stroke-width: 1.5; }}
.order path {{ stroke-dasharray: 5 4; }}
.last path {{ stroke-dasharray: 1.5 4; stroke-linecap: round; }}
.link .reach {{ stroke: transparent; stroke-width: 14; stroke-dasharray: none; }}
.link:hover path:not(.reach) {{ stroke-width: 2.5; }}
.sign path {{ fill: none; stroke-width: 1.8; stroke-linecap: round; stroke-linejoin: round; }}
"""


def sheet() -> str:
    """Return the style sheet."""
    light = "".join(_rule(selector, paints, 0) for selector, paints in _COLOURS.items())
    dark = "".join(f"  {_rule(selector, paints, 1)}" for selector, paints in _COLOURS.items())
    return f"{_FIXED.format(font=FONT)}{light}@media (prefers-color-scheme: dark) {{\n{dark}}}\n"


def _rule(selector: str, paints: Mapping[str, tuple[str, str]], scheme: int) -> str:
    painted = " ".join(f"{name}: {colours[scheme]};" for name, colours in paints.items())
    return f"{selector} {{ {painted} }}\n"
