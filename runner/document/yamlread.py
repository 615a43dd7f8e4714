"""YAML text to typed nodes with positions; every finding at once, no text makes it raise or hang."""

from __future__ import annotations

import json
from pathlib import Path

from msgspec import structs

from runner.base import errors
from runner.base import span as spans
from runner.base.diagnostic import Diagnostic, Related, Severity
from runner.document import compose, nodes, rawtree, scalars, source, syntax_messages

KANISTER_GROUP = "cr.kanister.io/"
# The key of what has none that counts.
_LOST = "/<<"
_COLLECTION_TAGS = (None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


def read_file(path: Path) -> tuple[str | None, list[Diagnostic]]:
    """Read the text of a document.

    Returns:
        The text, or None and the finding that it is too large (KB104) or not UTF-8 (KB107).

    Raises:
        UsageError: RT103 if the file cannot be read.
    """
    try:
        with path.open("rb") as stream:
            # One byte more than allowed is enough to see that it is too large, even of an endless device.
            data = stream.read(compose.MAX_BYTES + 1)
    except OSError as error:
        raise errors.UsageError(
            f"the file {path} cannot be read: {(error.strerror or str(error)).lower()}",
            code="RT103",
            hint="check the path and its permissions",
        ) from error
    return decode(data, str(path))


def decode(data: bytes, file: str) -> tuple[str | None, list[Diagnostic]]:
    """Decode UTF-8, with or without a byte order mark; else None and the finding KB104 or KB107."""
    if len(data) > compose.MAX_BYTES:
        return None, [compose.too_large(file)]
    try:
        return data.decode("utf-8-sig"), []
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig")
        message = f"the byte 0x{data[error.start]:02X} is not UTF-8 text"
        span = source.SourceFile(file, before + "?").span(len(before), len(before) + 1)
        return None, [Diagnostic(code="KB107", message=message, span=span, hint="save the file as UTF-8")]


def read(text: str, file: str) -> tuple[nodes.Node | None, list[Diagnostic]]:
    """Read one YAML document.

    Args:
        text: The document.
        file: Its name, for positions.

    Returns:
        The root node (None when nothing could be read) and the findings KB101 to KB106; there may be both.
    """
    documents, found = compose.compose(text, file)
    broken = bool(found) and not documents
    documents = [document for document in documents if not _is_empty(document)]
    if len(documents) > 1:
        found.append(_several(documents, file))
    if not documents:
        return None, found if broken else [*found, _nothing(text, file)]
    typing = _Typing(_dialect(documents[0]), text, file, found)
    return typing.node(documents[0], ""), found


def _is_empty(raw: rawtree.Raw) -> bool:
    return isinstance(raw, rawtree.RawScalar) and raw.text == "" and raw.style == ""


def _nothing(text: str, file: str) -> Diagnostic:
    span = source.SourceFile(file, text).span(0, 0)
    return Diagnostic(code="KB106", message="the file holds no document", span=span, hint="write a document into it")


def _place(raw: rawtree.Raw, file: str) -> spans.Span:
    return rawtree.place(file, raw.start, raw.end)


def _several(documents: list[rawtree.Raw], file: str) -> Diagnostic:
    return Diagnostic(
        code="KB106",
        message=f"the file holds {len(documents)} documents, one is expected",
        span=_place(documents[1], file).first(),
        hint='put each document into a file of its own ("---" separates documents)',
        related=(Related(span=_place(documents[0], file).first(), message="the first document starts here"),),
    )


def _dialect(root: rawtree.Raw) -> scalars.Dialect:
    if isinstance(root, rawtree.RawMap):
        for key, value in root.entries:
            if isinstance(key, rawtree.RawScalar) and key.text == "apiVersion":
                is_kanister = isinstance(value, rawtree.RawScalar) and value.text.startswith(KANISTER_GROUP)
                return scalars.old if is_kanister else scalars.core
    return scalars.core


class _Typing:
    """Gives every raw node its value and its pointer, and collects what is wrong with keys and tags."""

    def __init__(self, dialect: scalars.Dialect, text: str, file: str, found: list[Diagnostic]) -> None:
        self._dialect = dialect
        self._file = file
        self._source = source.SourceFile(file, text)
        self._found = found
        self._refused = {(each.span.line, each.span.column): index for index, each in enumerate(found)}

    def node(self, raw: rawtree.Raw, pointer: str) -> nodes.Node:
        """Type a node and everything in it; recursion is bounded by the depth limit."""
        match raw:
            case rawtree.RawScalar():
                return self._scalar(raw, pointer)
            case rawtree.RawAlias():
                self._point(raw, pointer)
                return nodes.ScalarNode(span=self._place(raw, pointer), value=None, text="")
            case rawtree.RawSeq():
                self._check_tag(raw, pointer)
                items = (self.node(item, f"{pointer}/{index}") for index, item in enumerate(raw.items))
                return nodes.SeqNode(span=self._place(raw, pointer), items=tuple(items))
            case rawtree.RawMap():
                return self._mapping(raw, pointer)

    def _place(self, raw: rawtree.Raw, pointer: str) -> spans.Span:
        return rawtree.place(self._file, raw.start, raw.end, pointer)

    def _scalar(self, raw: rawtree.RawScalar, pointer: str) -> nodes.ScalarNode:
        value: nodes.Scalar = raw.text
        if raw.tag is not None:
            try:
                value = scalars.tagged(raw.tag, raw.text, self._dialect)
            except ValueError as error:
                self._report("KB203", str(error), self._place(raw, pointer), "remove the tag")
        elif not raw.style:
            value = self._dialect(raw.text)
        return nodes.ScalarNode(span=self._place(raw, pointer), value=value, text=raw.text, style=raw.style)

    def _mapping(self, raw: rawtree.RawMap, pointer: str) -> nodes.Node:
        if self._is_bare_template(raw):
            return self._bare_template(raw, pointer)
        self._check_tag(raw, pointer)
        entries: list[tuple[nodes.ScalarNode, nodes.Node]] = []
        seen: dict[str, spans.Span] = {}
        for raw_key, raw_value in raw.entries:
            key = self._key(raw_key, pointer)
            if key is None:
                self.node(raw_value, pointer + _LOST)
                continue
            if key.text in seen:
                self._duplicate(key, seen[key.text])
            seen.setdefault(key.text, key.span)
            entries.append((key, self.node(raw_value, key.span.pointer)))
        return nodes.MapNode(span=self._place(raw, pointer), entries=tuple(entries))

    def _key(self, raw: rawtree.Raw, parent: str) -> nodes.ScalarNode | None:
        """Return the key, or None where there is none that a value could be stored under.

        What is refused then has a pointer that leads nowhere, into the mapping that lacks its entry.
        """
        lost = parent + _LOST
        if isinstance(raw, rawtree.RawAlias):
            self._point(raw, lost)
            return None
        if not isinstance(raw, rawtree.RawScalar):
            span = self._place(raw, lost).first()
            self._report("KB105", "a key is a list or a mapping", span, "use a text as key")
            return None
        if raw.text == "<<" and not raw.style:
            span = self._place(raw, lost)
            self._report("KB103", 'the merge key "<<" is not allowed here', span, "write the entries out")
            return None
        key = self._scalar(raw, spans.below(parent, raw.text))
        if isinstance(key.value, str):
            return key if key.value is raw.text else structs.replace(key, value=raw.text)
        text = self._odd_key(key)
        return structs.replace(key, text=text, value=text, span=key.span.at(parent + spans.pointer([text])))

    def _odd_key(self, key: nodes.ScalarNode) -> str:
        shown = key.text or "null"
        lenient = self._dialect is scalars.old and key.value is not None
        kind = {bool: "a boolean", type(None): "nothing"}.get(type(key.value), "a number")
        self._found.append(
            Diagnostic(
                code="KB105",
                message=f"the key {shown} is {kind}, not a text",
                span=key.span,
                severity=Severity.WARNING if lenient else Severity.ERROR,
                hint=f'put it in quotes: "{shown}"',
            )
        )
        # Kubernetes, and with it Kanister, turns such keys into texts: `yes` becomes "true", 0x10 becomes "16".
        return json.dumps(key.value) if lenient else key.text

    def _duplicate(self, key: nodes.ScalarNode, first: spans.Span) -> None:
        self._found.append(
            Diagnostic(
                code="KB102",
                message=f'the key "{key.text}" appears twice',
                span=key.span,
                hint="keep one of the two",
                related=(Related(span=first, message="it appears first here"),),
            )
        )

    def _is_bare_template(self, raw: rawtree.RawMap) -> bool:
        if not raw.flow or not raw.entries:
            return False
        inner = raw.entries[0][0]
        adjacent = inner.start.line == raw.start.line and inner.start.column == raw.start.column + 1
        return isinstance(inner, rawtree.RawMap) and inner.flow and adjacent

    def _bare_template(self, raw: rawtree.RawMap, pointer: str) -> nodes.ScalarNode:
        span = self._place(raw, pointer)
        self._found.append(syntax_messages.bare_template(span))
        start = self._source.offset(span.line, span.column)
        text = self._source.text[start : self._source.offset(span.end_line, span.end_column)]
        return nodes.ScalarNode(span=span, value=text, text=text, style='"')

    def _check_tag(self, raw: rawtree.RawSeq | rawtree.RawMap, pointer: str) -> None:
        if raw.tag not in _COLLECTION_TAGS:
            span = self._place(raw, pointer).first()
            self._report("KB203", f'the tag "{raw.tag}" is not allowed here', span, "remove the tag")

    def _point(self, raw: rawtree.RawAlias, pointer: str) -> None:
        """Add to the finding about an alias, which was made before there were pointers, what the alias stands for."""
        index = self._refused[raw.start.line + 1, raw.start.column + 1]
        found = self._found[index]
        self._found[index] = structs.replace(found, span=found.span.at(pointer))

    def _report(self, code: str, message: str, span: spans.Span, hint: str) -> None:
        self._found.append(Diagnostic(code=code, message=message, span=span, hint=hint))
