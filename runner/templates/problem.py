"""What can be wrong with a template: as a value while it is checked, as an exception while it is rendered."""

from __future__ import annotations

import msgspec

from runner.base import errors


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Something wrong in the text of a template; `offset` and `length` say where in that text."""

    code: str
    message: str
    hint: str = ""
    offset: int = 0
    length: int = 0


class TemplateError(errors.PermanentError):
    """A template cannot be rendered (KB401 to KB405, KB702)."""

    default_code = "KB405"


class Missing(TemplateError):
    """A template reads something that does not exist; the filter `default` covers it."""

    default_code = "KB404"
