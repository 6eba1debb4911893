"""Grading: what a model answered, and whether it equals the gold answer.

Pure functions on strings, with a status for each output instead of a boolean. Numbers are all
that is graded so far; they are read by linear-time patterns and compared as fractions, so nothing
here can hang and grading runs in the calling process.
"""

from dualtune.grade.number import (
    MAX_CHARACTERS,
    STATUSES,
    AnswerKind,
    Grade,
    Status,
    grade,
)

__all__ = ["MAX_CHARACTERS", "STATUSES", "AnswerKind", "Grade", "Status", "grade"]
