r"""Math-Verify and sympy, for the formulas that the project's own grammar does not know.

Sums, limits, derivatives, determinants, set differences and the like. Two things of Math-Verify
are not used: its time limits (SIGALRM fails off the main thread; the worker pool has limits that
hold) and its rounding (both sides must agree to 50 digits). What is plainly too large for sympy
never reaches it.
"""

from __future__ import annotations

import logging
import re
from functools import lru_cache
from typing import Any

from dualtune.errors import BadInput

logger = logging.getLogger(__name__)

MAX_LENGTH = 400  # characters that sympy is given
MAX_DEPTH = 12  # of braces
MAX_NUMERAL = 12  # digits of a numeral in a formula
MAX_RANGE = 1000  # a bound of a sum, a base, an exponent or a factorial above it is refused
DIGITS = 50

_LARGE = re.compile(rf"\d{{{MAX_NUMERAL + 1}}}")
_TOWER = re.compile(r"\^[^+\-=,]{0,40}?\^|\*\*[^+\-=,]{0,40}?\*\*|!\s*\)*\s*!|\)\s*!")
_PRODUCT = re.compile(r"\d\s*\(|\d\s+\d")  # its grammar reads 2(3) as a sum
_BIG_OPERAND = re.compile(r"\^\s*\{?\s*-?\(?\s*(\d+)|(\d+)\s*!|\*\*\s*-?\(?\s*(\d+)")
# What it reads with confidence: commands of mathematics, one-letter names, numbers, operators.
_KNOWN = re.compile(
    r"""(?x)(?:\\(?:frac|sqrt|sum|prod|int|lim|to|infty|pi|sin|cos|tan|cot|sec|csc|ln|log|exp
    |arcsin|arccos|arctan|binom|lfloor|rfloor|lceil|rceil|cdot|times|div|cup|cap|setminus|emptyset
    |in|le|ge|ne|begin|end|det|gcd|max|min|mathbb|overline|pmod|equiv|alpha|beta|gamma|theta|phi
    |lambda|mu|omega|dots|backslash|operatorname|mathrm)(?![A-Za-z])|\\\\|\\[{}|]
    |(?<![A-Za-z])(?:[a-zA-Z]|[pvbB]?matrix|lcm|gcd|dx|dy|dt)(?![A-Za-z])|\d|[\s+\-*/^_(){}\[\]|=<>,.!&':])*"""
)


def same_by_sympy(answer: str, gold: str) -> bool | None:
    """Compare two formulas with Math-Verify.

    May take very long, and hang: it belongs in a worker process that can be killed.

    Args:
        answer: Cleaned LaTeX.
        gold: Cleaned LaTeX.

    Returns:
        None where either side cannot be read whole, or is too large to give to sympy.

    Raises:
        BadInput: If Math-Verify is not installed: to grade on without it would call right answers
            unparsed.
    """
    if not (_is_safe(answer) and _is_safe(gold)):
        return None
    try:
        from math_verify import verify
    except ImportError as error:
        raise BadInput(
            "grading formulas needs Math-Verify: pip install 'dualtune[eval]'"
        ) from error
    left, right = _parsed(answer), _parsed(gold)
    if left is None or right is None:
        return None

    # It warns that its time limits are off, which is the point; and of each formula it cannot do.
    logging.getLogger("math_verify").setLevel(logging.CRITICAL)
    try:
        return bool(
            verify(
                right,
                left,
                float_rounding=DIGITS,
                numeric_precision=DIGITS,
                timeout_seconds=None,
                raise_on_error=True,
            )
        )
    except Exception as error:  # noqa: BLE001 sympy may raise anything on odd input
        logger.debug("sympy cannot compare: %s", error)
        return None


def _is_safe(formula: str) -> bool:
    """Tell whether sympy can be given a formula: short, flat, known, and without huge powers."""
    if not formula or len(formula) > MAX_LENGTH or _LARGE.search(formula):
        return False
    depth = deepest = 0
    for c in formula:
        depth += (c in "{(") - (c in "})")
        deepest = max(deepest, depth)
        if depth < 0:
            return False
    if depth or deepest > MAX_DEPTH or _PRODUCT.search(formula):
        return False
    if _TOWER.search(formula) or not _KNOWN.fullmatch(formula):
        return False
    operands = [n for found in _BIG_OPERAND.findall(formula) for n in found if n]
    return all(int(n) <= MAX_RANGE for n in operands)


@lru_cache(maxsize=1024)
def _parsed(formula: str) -> Any:
    """Read one formula as LaTeX, whole or not at all: no fall back to the numbers in it."""
    from latex2sympy2_extended import NormalizationConfig
    from latex2sympy2_extended.latex2sympy2 import ConversionConfig, latex2sympy

    try:
        return latex2sympy(
            formula,
            normalization_config=NormalizationConfig(
                basic_latex=True,
                units=False,
                malformed_operators=False,
                nits=False,
                boxed="none",
                equations=False,
            ),
            conversion_config=ConversionConfig(
                interpret_as_mixed_fractions=False, lowercase_symbols=False
            ),
        )
    except Exception as error:  # noqa: BLE001 latex2sympy raises bare Exception
        logger.debug("sympy cannot read %r: %s", formula, error)
        return None
