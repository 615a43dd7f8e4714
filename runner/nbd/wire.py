"""The numbers and structures of the NBD protocol as it is spoken here: fixed newstyle, structured replies.

From the public description of the protocol (`doc/proto.md` of the NBD project).
"""

from __future__ import annotations

import struct
from enum import IntEnum, IntFlag

GREETING = struct.Struct(">8s8sH")
MAGIC = b"NBDMAGIC"
OPTION_MAGIC = b"IHAVEOPT"
OPTION = struct.Struct(">8sII")
OPTION_REPLY = struct.Struct(">QIII")
OPTION_REPLY_MAGIC = 0x3E889045565A9
CLIENT_FLAGS = struct.Struct(">I")

REQUEST = struct.Struct(">IHHQQI")
REQUEST_MAGIC = 0x25609513
REPLY_MAGIC = struct.Struct(">I")
SIMPLE_MAGIC = 0x67446698
SIMPLE_REST = struct.Struct(">IQ")
STRUCTURED_MAGIC = 0x668E33EF
STRUCTURED_REST = struct.Struct(">HHQI")

OFFSET = struct.Struct(">Q")
HOLE = struct.Struct(">QI")
NUMBER = struct.Struct(">I")
ERROR = struct.Struct(">IH")
EXPORT_INFO = struct.Struct(">HQH")
BLOCK_SIZE_INFO = struct.Struct(">HIII")
EXPORT_HEAD = struct.Struct(">QH")
SHORT = struct.Struct(">H")
DESCRIPTOR = struct.Struct(">II")


class Handshake(IntFlag):
    """Flags of the greeting, and of the answer to it."""

    FIXED_NEWSTYLE = 1
    NO_ZEROES = 2


class Option(IntEnum):
    """What is asked for before the transmission."""

    EXPORT_NAME = 1
    ABORT = 2
    LIST = 3
    INFO = 6
    GO = 7
    STRUCTURED_REPLY = 8
    LIST_META_CONTEXT = 9
    SET_META_CONTEXT = 10


class OptionReply(IntEnum):
    """What comes back; everything above `ERROR` is a refusal."""

    ACK = 1
    SERVER = 2
    INFO = 3
    META_CONTEXT = 4
    ERROR = 1 << 31
    UNSUPPORTED = ERROR + 1
    INVALID = ERROR + 3
    UNKNOWN = ERROR + 6
    TOO_BIG = ERROR + 9


class Info(IntEnum):
    """Kinds of information about an export."""

    EXPORT = 0
    BLOCK_SIZE = 3


class Transmission(IntFlag):
    """What an export says of itself."""

    HAS_FLAGS = 1 << 0
    READ_ONLY = 1 << 1
    SEND_DONT_FRAGMENT = 1 << 7
    CAN_MULTI_CONN = 1 << 8


class Command(IntEnum):
    """What is asked for in the transmission."""

    READ = 0
    WRITE = 1
    DISCONNECT = 2
    FLUSH = 3
    BLOCK_STATUS = 7


class CommandFlag(IntFlag):
    """How it is to be done."""

    NONE = 0
    # One stretch is enough for an answer about what lies where.
    ONE = 1 << 3
    # The server answers a read in one piece. It then reads, instead of asking first what is allocated: in the snapshot
    # of a volume in use that answer could be out of date before it arrives.
    DONT_FRAGMENT = 1 << 2


class ReplyFlag(IntFlag):
    """Says whether a structured reply has come to its end."""

    DONE = 1


class Chunk(IntEnum):
    """Kinds of chunks of a structured reply; everything above `ERROR` is an error."""

    NONE = 0
    OFFSET_DATA = 1
    OFFSET_HOLE = 2
    BLOCK_STATUS = 5
    ERROR = 1 << 15
    REFUSED = ERROR + 1


class Allocation(IntFlag):
    """Flags of the context `base:allocation`."""

    HOLE = 1
    ZERO = 2


# The one flag of the contexts `qemu:dirty-bitmap:NAME`.
DIRTY = 1
