"""What an object store answers when it refuses, in the words of the contract: one place for all providers."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

from runner.base import errors
from runner.registry import location

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>([^<]+)</Code>|\(code: (\w+)\)")
_MESSAGE = re.compile(r"<Message>([^<]+)")
_REPEATED = re.compile(r"after [1-9]\d* retries")
_QUERY = re.compile(r"\?[^\s,\"]*")  # may hold a signature

_NO_BUCKET = frozenset({"NoSuchBucket", "ContainerNotFound", "ContainerBeingDeleted"})
_THROTTLED = frozenset({"SlowDown", "ServerBusy", "TooManyRequests", "RequestLimitExceeded", "Throttling"})
_FULL = frozenset({"QuotaExceeded", "XMinioStorageFull", "InsufficientStorage", "StorageFull"})
_ELSEWHERE = frozenset({"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"})
_SKEWED = frozenset({"RequestTimeTooSkewed", "RequestExpired"})
_LOCKED = frozenset(
    {"ObjectLocked", "BlobImmutableDueToPolicy", "BlobImmutableDueToLegalHold", "RetentionPolicyNotMet"}
)

# The client has waited and tried again itself by then; its errors do not hand on what the store asked for.
_PAUSE = timedelta(seconds=10)


class Answer:
    """What can be told of a failed request.

    Attributes:
        status: Of the HTTP answer; 0 when there was none.
        code: The provider's word for it; empty when it gave none.
        repeated: Whether the client had sent the request more than once.
    """

    def __init__(self, problem: Exception) -> None:
        self.text = str(problem)
        found, code = _STATUS.search(self.text), _CODE.search(self.text)
        self.code = (code[1] or code[2]) if code else ""
        self.status = int(found[1]) if found else int(self.code) if self.code.isdigit() else 0
        self.repeated = _REPEATED.search(self.text) is not None
        self.is_missing = isinstance(problem, FileNotFoundError) or self.status == 404

    @property
    def details(self) -> str:
        """What the store said, without what could be a signature."""
        message = _MESSAGE.search(self.text)
        said = message[1].strip().splitlines()[0] if message else ""
        if self.status:
            return " ".join(filter(None, [str(self.status), self.code if self.code != str(self.status) else "", said]))
        return _QUERY.sub("", self.text.splitlines()[0]) if self.text else ""

    @property
    def is_unsupported(self) -> bool:
        """Whether the store does not know what was asked for."""
        return self.status == 501 or self.code == "NotImplemented"


def translate(problem: Exception, name: str, url: str) -> errors.RunnerError:
    """Return the error of the contract for one of the client.

    Args:
        problem: What obstore raised.
        name: The object, or the prefix of a listing.
        url: Of the location.
    """
    answer = Answer(problem)
    for applies, make in _KINDS:
        if applies(answer, type(problem).__name__):
            return make(answer, name, url)
    return location.LocationError(f"{_what(name, url)} cannot be used", details=answer.details)


def exists(name: str) -> location.ObjectExists:
    """Describe that a name is taken."""
    return location.ObjectExists(f"there is an object {name} already", hint="choose another name, or remove it first")


def _what(name: str, url: str) -> str:
    return f"the object {name} in {url}" if name else url


def _no_bucket(answer: Answer, name: str, url: str) -> errors.RunnerError:
    return errors.EnvironmentProblem(
        f"the bucket or container of {url} does not exist",
        code="RT404",
        details=answer.details,
        hint="make it, or correct its name; the runner makes none",
    )


def _missing(answer: Answer, name: str, url: str) -> errors.RunnerError:
    return location.ObjectMissing(f"there is no object {name} in {url}")


def _exists(answer: Answer, name: str, url: str) -> errors.RunnerError:
    return exists(name)


def _skewed(answer: Answer, name: str, url: str) -> errors.RunnerError:
    return errors.EnvironmentProblem(
        f"{url} refuses requests because the clock of this machine is wrong",
        code="RT311",
        details=answer.details,
        hint="set the clock, such as with NTP",
    )


def _locked(answer: Answer, name: str, url: str) -> errors.RunnerError:
    return location.ObjectLocked(
        f"{_what(name, url)} is locked: its retention has not ended",
        details=answer.details,
        hint="wait until its retention has ended; `runner explain RT422` says more",
    )


def _denied(answer: Answer, name: str, url: str) -> errors.RunnerError:
    return errors.EnvironmentProblem(
        f"{_what(name, url)} cannot be used: access is denied",
        code="RT311",
        details=answer.details,
        hint="check the credentials; `runner profile validate` names the permissions that are missing",
    )


def _throttled(answer: Answer, name: str, url: str) -> errors.RunnerError:
    return location.LocationUnavailable(
        f"{url} asks to be called less often", details=answer.details, retry_after=_PAUSE, hint="try again later"
    )


def _full(answer: Answer, name: str, url: str) -> errors.RunnerError:
    return errors.EnvironmentProblem(
        f"{url} is full", code="RT312", details=answer.details, hint="make room there, or use another place"
    )


def _elsewhere(answer: Answer, name: str, url: str) -> errors.RunnerError:
    return errors.EnvironmentProblem(
        f"the bucket of {url} is in another region",
        code="RT403",
        details=answer.details,
        hint="set region in the location profile, or AWS_REGION",
    )


def _short(answer: Answer, name: str, url: str) -> errors.RunnerError:
    return location.LocationError(f"{_what(name, url)} ends before what is to be read", details=answer.details)


def _untrusted(answer: Answer, name: str, url: str) -> errors.RunnerError:
    return errors.EnvironmentProblem(
        f"the certificate of {url} is not trusted",
        code="RT403",
        details=answer.details,
        hint="name the file of its certificate authority with caFile in the location profile",
    )


def _bad_scheme(answer: Answer, name: str, url: str) -> errors.RunnerError:
    return errors.EnvironmentProblem(
        f"the address of {url} is not one of a web server",
        code="RT403",
        details=answer.details,
        hint="write endpoint as https://HOST or https://HOST:PORT; http:// where the server has no certificate",
    )


def _no_credentials(answer: Answer, name: str, url: str) -> errors.RunnerError:
    return errors.EnvironmentProblem(
        f"there are no credentials for {url}",
        code="RT311",
        details=answer.details,
        hint="set the variables of the provider, or credentialsFile in the location profile; see docs/locations.md",
    )


def _unavailable(answer: Answer, name: str, url: str) -> errors.RunnerError:
    return location.LocationUnavailable(f"{url} cannot be reached or does not answer", details=answer.details)


def _is_denied(answer: Answer, kind: str) -> bool:
    return kind in ("PermissionDeniedError", "UnauthenticatedError") or answer.status in (401, 403) or answer.code in (
        "AccessDenied",
        "AuthorizationFailure",
    )  # fmt: skip


def _is_elsewhere(answer: Answer, kind: str) -> bool:
    return answer.code in _ELSEWHERE or answer.status in (301, 307) or "configured region" in answer.text


def _has_bad_scheme(answer: Answer, kind: str) -> bool:
    return "HTTP error: builder error" in answer.text


def _lacks_credentials(answer: Answer, kind: str) -> bool:
    return "169.254.169.254" in answer.text or "metadata.google.internal" in answer.text


def _is_untrusted(answer: Answer, kind: str) -> bool:
    return "invalid peer certificate" in answer.text or "UnknownIssuer" in answer.text


_Applies = Callable[[Answer, str], bool]
_Make = Callable[[Answer, str, str], errors.RunnerError]

# The first that applies counts: a code says more than a status, and a status more than a class.
_KINDS: tuple[tuple[_Applies, _Make], ...] = (
    (lambda answer, kind: answer.code in _NO_BUCKET, _no_bucket),
    (lambda answer, kind: answer.code in _LOCKED, _locked),
    (lambda answer, kind: answer.code in _SKEWED, _skewed),
    (lambda answer, kind: answer.code in _FULL or answer.status == 507, _full),
    (lambda answer, kind: answer.code in _THROTTLED or answer.status == 429, _throttled),
    (_is_elsewhere, _elsewhere),
    (lambda answer, kind: kind in ("AlreadyExistsError", "PreconditionError"), _exists),
    (_is_denied, _denied),
    (lambda answer, kind: answer.is_missing, _missing),
    (lambda answer, kind: answer.status == 416, _short),
    (_lacks_credentials, _no_credentials),
    (_is_untrusted, _untrusted),
    (_has_bad_scheme, _bad_scheme),
    (lambda answer, kind: answer.status == 503, _throttled),
    (lambda answer, kind: answer.status >= 500 or answer.status == 408, _unavailable),
    (lambda answer, kind: answer.status == 0 and "HTTP error" in answer.text, _unavailable),
)
