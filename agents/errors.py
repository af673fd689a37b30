"""Surprises, split by who must react. Expected endings are values (see `outcome`), never raised.

SelfhealError
├── Transient   the same call may succeed later: the engine repeats the stage
├── Denied      it will not succeed: record the gap with this reason and go on without
├── Conflict    the world changed under us, or a person was first: look again, never force
├── ModelMisbehaved  what a model answered is of no use: go on with what the rules say
├── BudgetExhausted  a model has used up what it may: the same
└── Invalid     what a person gave us is wrong: say what and how to put it right
"""


class SelfhealError(Exception):
    """The root: everything that this service raises on purpose."""


class Transient(SelfhealError):
    """The same call may succeed later; nothing was half-done."""


class Denied(SelfhealError):
    """It is not there or not allowed, and asking again will not change that."""


class Conflict(SelfhealError):
    """Somebody else changed it first; the caller must look again before it writes."""


class ModelMisbehaved(SelfhealError):
    """A model refused, answered in another form than it was asked for, or named what does not exist."""


class BudgetExhausted(SelfhealError):
    """The calls, tokens or seconds that a model may use are used up."""


class Invalid(SelfhealError):
    """The input is wrong; the message names the field and what it should be."""
