"""The table of all error codes: each has a title, the exit code it leads to, and a page in `docs/errors/`.

KB codes are findings about documents (exit 3, whatever a single one of them says); RT codes are failed operations. What
is wrong with inputs has a KB code also where it comes from the command line, which is then used wrongly.
"""

from __future__ import annotations

from enum import IntEnum

import msgspec


class Exit(IntEnum):
    """What the command tells its caller."""

    OK = 0
    FAILED = 1
    USAGE = 2
    INVALID = 3
    ENVIRONMENT = 4
    CANCELLED = 5
    WAITING = 6
    PARTIAL = 7
    INTERNAL = 70
    INTERRUPTED = 130


class Code(msgspec.Struct, frozen=True):
    """One kind of error."""

    name: str
    title: str
    exit: Exit


def _kb(name: str, title: str) -> Code:
    return Code(name, title, Exit.INVALID)


_TABLE = (
    # KB1xx: YAML
    _kb("KB101", "The file is not valid YAML"),
    _kb("KB102", "A key appears twice in one mapping"),
    _kb("KB103", "Anchors, aliases and merge keys are not allowed here"),
    _kb("KB104", "The document is too large or nested too deeply"),
    _kb("KB105", "A key is not a text"),
    _kb("KB106", "The file holds no document, or more than one"),
    _kb("KB107", "The file is not UTF-8 text"),
    # KB2xx: shape
    _kb("KB201", "A key is unknown"),
    _kb("KB202", "A required key is missing"),
    _kb("KB203", "A value has the wrong type"),
    _kb("KB204", "A value is not one of those allowed, or has the wrong form"),
    _kb("KB205", "The apiVersion or kind is unknown"),
    # KB3xx: names and references
    _kb("KB301", "Two phases of an action have the same name"),
    _kb("KB302", "A name is reserved or not an identifier"),
    _kb("KB303", "The action is unknown"),
    _kb("KB310", "A reference names an unknown phase"),
    _kb("KB311", "A phase reads data of a phase that does not run before it"),
    _kb("KB312", "A reference names an output that the phase does not have"),
    _kb("KB313", "A reference names an input that the action does not declare"),
    _kb("KB314", "A reference names an artifact that is not in inputArtifactNames"),
    _kb("KB315", "A reference starts with an unknown root, or does not fit it"),
    _kb("KB316", "A phase or artifact reads data that may be missing"),
    _kb("KB317", "An input is never read"),
    _kb("KB318", "A reference names a key that the artifact does not have"),
    _kb("KB320", "Phases wait for each other in a cycle"),
    _kb("KB321", "A retry policy is unknown"),
    _kb("KB322", "A phase never runs"),
    _kb("KB323", "An error code of a retry is unknown"),
    _kb("KB324", "A time limit cannot hold"),
    _kb("KB325", "A limit has no effect"),
    _kb("KB330", "The blueprint of a rehearsal cannot be used"),
    _kb("KB331", "A rehearsal gives or expects what cannot be"),
    _kb("KB340", "Nothing starts again what a phase stops"),
    # KB4xx: templates
    _kb("KB401", "A template cannot be parsed"),
    _kb("KB402", "A template uses an unknown filter"),
    _kb("KB403", "A template uses a construct that is not allowed"),
    _kb("KB404", "A template reads something undefined"),
    _kb("KB405", "A filter or comparison of a template failed"),
    _kb("KB410", "A condition or the items of a foreach are not what they must be"),
    _kb("KB411", "Values are compared that can never be alike"),
    _kb("KB412", "A key of a foreach cannot be used"),
    # KB5xx: functions, arguments, inputs
    _kb("KB501", "The function is unknown"),
    _kb("KB502", "An argument is unknown"),
    _kb("KB503", "A required argument is missing"),
    _kb("KB504", "An argument has the wrong type or form"),
    _kb("KB505", "A rendered argument has the wrong type or form"),
    Code("KB510", "An input is missing", Exit.USAGE),
    Code("KB511", "An input is unknown", Exit.USAGE),
    Code("KB512", "An input has the wrong type or form", Exit.USAGE),
    _kb("KB513", "A required input has a default"),
    _kb("KB520", "A retry could repeat a side effect"),
    _kb("KB530", "A required capability is missing"),
    _kb("KB531", "The blueprint is for another version of the runner"),
    # KB6xx: portability
    _kb("KB601", "A level 1 key stands in a Kanister document"),
    # KB7xx: security
    _kb("KB701", "A secret would be stored in a restore point"),
    _kb("KB702", "A secret is used where it would be seen"),
    Code("KB703", "A secret input has a literal value in the document or on the command line", Exit.USAGE),
    _kb("KB710", "A value is put into shell text as it is"),
    # RT1xx: planning and the command line
    Code("RT101", "The command line is off", Exit.USAGE),
    Code("RT102", "The document has errors", Exit.INVALID),
    Code("RT103", "The file cannot be read", Exit.USAGE),
    Code("RT104", "The run id is taken", Exit.USAGE),
    Code("RT105", "The run is unknown", Exit.USAGE),
    Code("RT106", "Kanister documents cannot be run yet", Exit.ENVIRONMENT),
    Code("RT107", "The configuration is off", Exit.USAGE),
    # RT2xx: execution
    Code("RT200", "A phase failed", Exit.FAILED),
    Code("RT201", "A phase failed and may succeed later", Exit.FAILED),
    Code("RT202", "A time limit was reached", Exit.FAILED),
    Code("RT203", "The run was cancelled", Exit.CANCELLED),
    Code("RT204", "The machine lacks something that the run needs", Exit.ENVIRONMENT),
    Code("RT205", "A program is missing", Exit.ENVIRONMENT),
    Code("RT206", "A command failed", Exit.FAILED),
    Code("RT207", "A command broke the output protocol", Exit.FAILED),
    Code("RT208", "An assertion does not hold", Exit.FAILED),
    Code("RT209", "An approval was not given in time", Exit.FAILED),
    Code("RT210", "A phase waits to be settled", Exit.WAITING),
    Code("RT211", "The run is driven by another process", Exit.ENVIRONMENT),
    Code("RT212", "The run has already ended", Exit.USAGE),
    Code("RT213", "The journal is damaged", Exit.FAILED),
    Code("RT214", "The journal could not be written", Exit.ENVIRONMENT),
    Code("RT215", "A phase was abandoned", Exit.FAILED),
    Code("RT216", "The outputs of a phase are not what it declares", Exit.FAILED),
    Code("RT217", "Another run has the concurrency group", Exit.ENVIRONMENT),
    Code("RT218", "The run was interrupted", Exit.INTERRUPTED),
    # RT3xx: storage
    Code("RT300", "A storage operation failed", Exit.FAILED),
    Code("RT301", "The snapshot does not exist", Exit.FAILED),
    Code("RT302", "The volume does not exist", Exit.FAILED),
    Code("RT303", "The snapshot is in use", Exit.FAILED),
    Code("RT304", "A storage quota is exhausted", Exit.FAILED),
    Code("RT305", "The storage driver is unknown", Exit.ENVIRONMENT),
    Code("RT306", "The storage driver cannot do this", Exit.ENVIRONMENT),
    Code("RT310", "The target exists already", Exit.ENVIRONMENT),
    Code("RT311", "The target cannot be written", Exit.ENVIRONMENT),
    Code("RT312", "The disk is full", Exit.ENVIRONMENT),
    Code("RT313", "A file cannot be read", Exit.FAILED),
    Code("RT314", "A path would escape the target", Exit.FAILED),
    Code("RT315", "The source does not exist", Exit.FAILED),
    Code("RT316", "The source is not what the function can back up", Exit.FAILED),
    Code("RT317", "The limit of temporary space is reached", Exit.ENVIRONMENT),
    # RT4xx: locations and repositories
    Code("RT400", "A location operation failed", Exit.FAILED),
    Code("RT401", "The object does not exist", Exit.FAILED),
    Code("RT402", "The object exists already", Exit.FAILED),
    Code("RT403", "The location is unknown or its document is off", Exit.USAGE),
    Code("RT404", "The bucket or container does not exist", Exit.ENVIRONMENT),
    Code("RT410", "There is no repository at the location", Exit.ENVIRONMENT),
    Code("RT411", "There is a repository at the location already", Exit.ENVIRONMENT),
    Code("RT412", "The passphrase is wrong", Exit.ENVIRONMENT),
    Code("RT413", "No passphrase was given", Exit.ENVIRONMENT),
    Code("RT414", "The repository needs a newer runner", Exit.ENVIRONMENT),
    Code("RT415", "The repository is damaged", Exit.FAILED),
    Code("RT416", "The repository is locked", Exit.ENVIRONMENT),
    Code("RT417", "The export does not exist", Exit.FAILED),
    Code("RT418", "The restore point does not exist", Exit.FAILED),
    Code("RT419", "The restore point differs from what was captured", Exit.FAILED),
    Code("RT420", "The id is ambiguous", Exit.USAGE),
    Code("RT421", "The export belongs to a restore point", Exit.FAILED),
    Code("RT422", "An object is locked by its retention", Exit.FAILED),
    Code("RT423", "No key opens the repository", Exit.ENVIRONMENT),
    Code("RT430", "The path is not in the restore point", Exit.FAILED),
    # RT9xx: internal
    Code("RT900", "An error without a code of its own", Exit.INTERNAL),
    Code("RT901", "The runner has a defect", Exit.INTERNAL),
    Code("RT902", "A plugin cannot be loaded", Exit.ENVIRONMENT),
)

CODES = {code.name: code for code in _TABLE}
if len(CODES) != len(_TABLE):
    raise AssertionError("an error code is listed twice")


def exit_of(name: str) -> Exit:
    """Return the exit code that an error code leads to; one that only a plugin knows is that of a failed operation."""
    return CODES[name].exit if name in CODES else Exit.FAILED
