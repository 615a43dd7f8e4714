"""YAML text to an untyped tree with positions, within fixed limits whatever the text is.

Works on parser events instead of composed nodes: an alias is seen as what it is (nothing is expanded), and a document
that is too deep or too large is given up at the event that goes too far. Called by `yamlread`, which types the tree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml
from msgspec import structs

from runner.base import span as spans
from runner.base.diagnostic import Diagnostic
from runner.document import rawtree, source, syntax_messages
from runner.document.rawtree import Raw

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 50
MAX_NODES = 50_000

# What YAML refuses anywhere in a text; found beforehand, because the parser stops at the first one.
_UNPRINTABLE = re.compile("[^\x09\x0a\x0d\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MAX_UNPRINTABLE = 20


def compose(text: str, file: str) -> tuple[list[Raw], list[Diagnostic]]:
    """Parse all documents of a text.

    Returns:
        The roots of the documents that could be read to their end, and the findings (KB101, KB103, KB104).
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        return [], [too_large(file)]
    whole = source.SourceFile(file, text)
    unprintable = list(_unprintable(whole))
    if unprintable:
        return [], unprintable
    builder = _Builder(file)
    try:
        events = _loader()(text)
        while events.check_event() and not builder.gave_up:
            builder.take(events.get_event())  # type: ignore[no-untyped-call]
    except yaml.MarkedYAMLError as error:
        builder.found.append(syntax_messages.finding(error, whole))
    return builder.documents, builder.found


def too_large(file: str) -> Diagnostic:
    """Make the finding about a file that exceeds `MAX_BYTES`."""
    return Diagnostic(
        code="KB104",
        message=f"the file is larger than the {MAX_BYTES:,} bytes that a document may have",
        span=spans.Span(file=file, line=1, column=1, end_line=1, end_column=1),
        hint=syntax_messages.SPLIT,
    )


def _loader() -> type[yaml.SafeLoader]:
    # PyYAML without its C extension reads the same documents, only more slowly.
    loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return loader


def _unprintable(whole: source.SourceFile) -> Iterator[Diagnostic]:
    for count, match in enumerate(_UNPRINTABLE.finditer(whole.text)):
        if count == _MAX_UNPRINTABLE:
            return
        yield Diagnostic(
            code="KB101",
            message=f"the character U+{ord(match[0]):04X} is not allowed in YAML",
            span=whole.span(match.start(), match.end()),
            hint='remove it, or write it as an escape in double quotes such as "\\x1b"',
        )


class _Builder:
    """Turns events into trees, one node at a time and without recursion."""

    def __init__(self, file: str) -> None:
        self.documents: list[Raw] = []
        self.found: list[Diagnostic] = []
        self.gave_up = False
        self._file = file
        self._open: list[rawtree.RawSeq | rawtree.RawMap] = []
        self._count = 0

    def take(self, event: yaml.Event) -> None:
        """Add what an event says; sets `gave_up` if the document is too deep or too large to go on."""
        start, end = _marks(event)
        match event:
            case yaml.ScalarEvent():
                self._node(event)
                self._add(rawtree.RawScalar(start, end, event.value, event.style or "", event.tag))
            case yaml.MappingStartEvent():
                self._enter(event, rawtree.RawMap(start, end, bool(event.flow_style), event.tag))
            case yaml.SequenceStartEvent():
                self._enter(event, rawtree.RawSeq(start, end, bool(event.flow_style), event.tag))
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                self._leave(event)
            case yaml.AliasEvent():
                self._alias(event)

    def _enter(self, event: yaml.CollectionStartEvent, collection: rawtree.RawSeq | rawtree.RawMap) -> None:
        self._node(event)
        if len(self._open) == MAX_DEPTH:
            self._give_up(event, f"the document is nested more than {MAX_DEPTH} levels deep")
        self._open.append(collection)

    def _leave(self, event: yaml.CollectionEndEvent) -> None:
        collection = self._open.pop()
        last = collection.last
        # The parser ends a block where the next token begins, which may be many comment lines further on.
        collection.end = last.end if last is not None and not collection.flow else _marks(event)[1]
        self._add(collection)

    def _add(self, node: Raw) -> None:
        if self._open:
            self._open[-1].add(node)
        else:
            self.documents.append(node)

    def _node(self, event: yaml.NodeEvent) -> None:
        self._count += 1
        if self._count > MAX_NODES:
            self._give_up(event, f"the document has more than {MAX_NODES:,} values")
        if event.anchor is not None:
            self._refuse(event, "anchor", f"&{event.anchor}")

    def _alias(self, event: yaml.AliasEvent) -> None:
        self._count += 1
        self._refuse(event, "alias", f"*{event.anchor}")
        self._add(rawtree.RawAlias(*_marks(event)))

    def _refuse(self, event: yaml.Event, what: str, written: str) -> None:
        place = self._place(event)
        span = structs.replace(place, end_line=place.line, end_column=place.column + len(written))
        message = f'the {what} "{written}" is not allowed here'
        self.found.append(Diagnostic(code="KB103", message=message, span=span, hint="write the value out"))

    def _give_up(self, event: yaml.Event, message: str) -> None:
        self.found.append(
            Diagnostic(code="KB104", message=message, span=self._place(event), hint=syntax_messages.SPLIT)
        )
        self.gave_up = True

    def _place(self, event: yaml.Event) -> spans.Span:
        return rawtree.place(self._file, *_marks(event))


def _marks(event: yaml.Event) -> tuple[rawtree.Mark, rawtree.Mark]:
    return event.start_mark, event.end_mark  # type: ignore[return-value]  # the parser puts them on every event
