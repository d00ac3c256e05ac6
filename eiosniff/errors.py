"""Errors that a user can mend.

Bad *input* is data (`eiosniff.model.trouble`); exceptions are for mistakes of the user, such as a path that does not
exist, and for our own bugs. Everything that derives from `EiosniffError` is printed as one line without a traceback.
"""


class EiosniffError(Exception):
    """Something that the user can mend: what went wrong, where, and what to do. Exit code 2."""

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(f"{problem}; {remedy}" if remedy else problem)
        self.problem = problem
        self.remedy = remedy


class CaptureError(EiosniffError):
    """A source that cannot be read at all: missing, unreadable, empty, or not a capture."""
