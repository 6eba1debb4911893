"""Grade a numeric answer: extract, normalise, compare exactly.

Values are fractions, so 8.5 never becomes 8 and 1/3 never becomes 0.33. A gold answer that was
itself cut off (``0.6666666667``) is met at the precision it was printed with.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

from dualtune.grade.equal import meets
from dualtune.grade.extract import Stated, asked_form, last_clear_answer, visible
from dualtune.grade.grades import MAX_CHARACTERS, Grade, Status
from dualtune.grade.normalise import plain_characters, plain_numerals
from dualtune.text.answers import strip_annotations
from dualtune.text.numbers import Number, find_numbers, parse_number

MAX_LINE = 4000  # of a longer line, only the end is searched for the last number

# What may stand right after a number and makes it part of something else: a formula, a range, a
# list, a time of day, a power. Such an answer is unparsed; it never equals a number by its digits.
_CONTINUES = re.compile(
    r"""(?x)
    \s?[+*×÷^·±√π⁰¹²³⁴-⁹]
    | \s?/(?!-|[ ]?[A-Za-z]{2})                             # 5/x, but not 5/hour, nor Rs. 5/-
    | \s?[-−–]\s?(?:[\d$(\\]|[b-hj-zB-HJ-Z](?![A-Za-z]))      # 5-6, 5 - x, but not "5 - a total"
    | \s?[xX]\s?\d | [aeijknquvwxyzNXYZ](?![A-Za-z]) | [abnxyz]{2,3}(?![A-Za-z]) | \s?[CP]\s?\d
    | \( | :\d | \s:\s?\d | ,\s?\d | [eE][-+]?\d | !
    | (?:\s[A-Za-z]+){1,2}\s?[+×]\s?\$?\d               # 9 apples + 2 pears
    | \s?(?:bn|lakhs?|crores?|[万亿])(?![A-Za-z]) | \s?sqrt
    | \s(?:times|plus|minus|over|divided\sby|multiplied\sby)\s[$(\\-]*\d
    | \s(?:raised\sto|to\sthe\s(?:\w+\s)?power)\b
    | \s?\\(?:cdot|times|div|sqrt|pi|pm) | \.?\s?\\(?:overline|bar|dot|ldots|dots)
    | \s?[\^_]
    | \s(?:or|to|and|of|mod|choose)\s[$(\\-]*\d | \s(?:squared|cubed|factorial|pi)\b
    # 5 feet 6 inches, 3 hours and 30 minutes, $5 and 30 cents are not 5, 3 and 5.
    | \s?(?:dollars?|euros?|pounds?|lbs?|years?|months?|weeks?|days?|h(?:ou)?rs?|h|min(?:ute)?s?|m
      |feet|foot|ft|kg|kilograms?|(?:kilo)?met(?:er|re)s?)\.?,?\s(?:and\s)?\d+(?:\.\d+)?\s?
      (?:cents?|pence|ounces?|oz|months?|weeks?|days?|hours?|hrs?|min(?:ute)?s?|sec(?:ond)?s?|s
      |inch(?:es)?|in|(?:centi)?met(?:er|re)s?|cm|grams?|g)\b
    """
)
# A bound is no value either: "more than 5", "x > 5"; an arrow is no bound.
_BEFORE_OPERATOR = re.compile(
    r"(?:[\^_{]|[+*/×÷^√(]|\\(?:sqrt|cdot|times|div|log|ln)\b\W?"
    r"|\b(?:root of|log|ln|twice|double|triple|half of|third of|quarter of|times)"
    r"|\b(?:more|less|greater|fewer|larger|smaller|higher|lower) than"
    r"|(?:(?<![-=])>|<)=?|!=|[≤≥≠]|\\(?:[lg]eq?(?:slant)?|[lg]t|neq?)(?![A-Za-z]))\s?\$?\s?\Z"
)
_SHORT_SCALE = re.compile(r"\s?[kKMB](?![A-Za-z])")  # of money: $5M
# A sign that is no part of the numeral: "- 5" (not of "8 - 5"), "-$ 5", "minus five".
_SIGN = re.compile(
    r"(?i)(?:(?:\A|(?<=[(=:$,]))\s?-\s?(?:\\?\$)?|(?<![\d)]\s)\bminus|\bnegative)\s?\Z"
)
# What an unmarked last number may not be part of: 2^5, 5², the 50 of "1.234,50".
_RAISED = re.compile(r"\s?[\^⁰¹²³⁴-⁹]")
_PIECE = re.compile(r"(?:\^\s?\{?|\d[.,])\Z")
_NEAR = 24  # characters before a number in which its sign or operator is looked for
_MARKUP = re.compile(r"\\(?:text|mathrm|mbox|textbf|mathbf)\{|\\[,;!()\[\] ]|</?[a-z]{1,6}>|[`\"']")
# An asterisk multiplies, except in a pair around something, and where the other half of a pair
# stood outside of the answer: "**The answer is 15** because".
_EMPHASIS = re.compile(
    r"""(?x)
    (?<![\w)\]}*])(?P<mark>\*{1,3})(?P<inner>[^\s*](?:[^*]{0,198}[^\s*])?)(?P=mark)(?![\w(*])
    | (?<=\S)\*\*(?=[.,;:!?)]|[ ][A-Za-z]{2})
    | (?:(?<=[A-Za-z]{2}[ ])|(?<=[:,=][ ])|(?<=[$€£¥₹]))\*\*(?=[^\s*])
    """
)
_UNDERLINED = re.compile(r"(?<![\w}])(?P<mark>_{1,2})(?P<inner>[^\s_{}]+)(?P=mark)(?!\w)")
_UNKNOWN = re.compile(r"(?<![A-Za-z\\])(?!(?<=\d)[xX]\d|(?<=\d )[xX] \d)[A-Za-z](?![A-Za-z])")
_EQUALS = re.compile(r"(?<![<>!])=(?!>)|≈|\\approx\b")
_NEGATED = re.compile(
    r"(?i)(?:[a-z]+ )?(?:not|never|no longer)\b|(?:either|neither|between|one of|incorrect|wrong)\b"
)
# "15 is wrong", "15, no, wait, 16".
_RETRACTED = re.compile(
    r"(?i)\b(?:is|was|that's) (?:wrong|incorrect|not (?:right|correct))\b|\b(?:no,? )?wait,"
)
# What explains a number with an equation: "13 because 12 + 1 = 13", "13 for n = 12".
_ASIDE = re.compile(
    r"(?i)(?<!\band)[,;:]?\s(?:because|since|(?:(?<=, )as)|(?:(?:for|when|where|if|with|at)\s)\$?"
    r"[a-z]\w{0,12}\s?=).*\Z"
    r"|\s\([^()=]*=[^()]{0,200}\)",
    re.DOTALL,
)
# Two unknowns have two values: "x = 15 and y = 16".
_TWO_NAMES = re.compile(
    r"[A-Za-z](?:_\w)?\s*=[^=]*?(?:[,;&]|\band\b|\bor\b)[\s$]*[A-Za-z](?:_\w)?\s*=[^=]*\Z"
)
_SCIENTIFIC = re.compile(
    r"""(?x)
    (?<![\w.,^])(?P<digits>\d{1,20}(?:\.\d{1,30})?)
    (?:[eE](?P<e>[-+]?\d{1,2})
      |\s?(?:[xX×*·]|\\times|\\cdot)\s?10
        (?:\s?(?:\^|\*\*)\s?\{?(?P<power>[-+]?\d{1,2})\}?|(?P<raised>⁻?[⁰¹²³⁴-⁹]{1,2})))
    (?![\d^*!]|\.\d)
    """
)
_RAISED_DIGITS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_POINT = re.compile(r"\.\d")


def grade_number(output: str, gold: str, question: str = "") -> Grade:
    """Grade a numeric answer.

    Args:
        output: What the model wrote.
        gold: The right answer as text, such as ``"1,000"``, ``"3/4"`` or ``"0.6666666667"``.
        question: What was asked; its words do not count as an answer where they are repeated.

    Returns:
        The extracted answer, its status and whether it stood in the asked form.
    """
    wanted = gold_values(gold)
    if not wanted:
        return Grade(None, "error", strict=False)
    if len(output) > MAX_CHARACTERS:
        return Grade(None, "unparsed", strict=False)
    output = visible(output, question)
    stated = last_clear_answer(output)
    if stated is None:
        return _grade_unmarked(output, wanted, gold)
    values = read_answer(stated.text)
    if not values:
        return Grade(stated.text, "unparsed", strict=False)
    status: Status = "correct" if meets(values, wanted, gold) else "wrong"
    return Grade(stated.text, status, strict=_is_strict(output, stated))


def read_answer(text: str) -> tuple[Fraction, ...]:
    """Read an answer that may carry a unit, a currency or a few words.

    Args:
        text: ``"$29.00"``, ``"12 - 5 = 7 apples"``, ``"75%"``, ``"twenty-three"``.

    Returns:
        Its value; two for a percent (75 % is 3/4, and 75 where percents were asked for). Empty
        where the text is a formula, a list, or no number.
    """
    if _NEGATED.match(text) or _RETRACTED.search(text):
        return ()
    text = _UNDERLINED.sub(r"\g<inner>", plain_numerals(text))
    text = " ".join(_MARKUP.sub(" ", text).split())
    text = without_emphasis(text.strip("* "))
    text = text.lstrip("* ").rstrip("* .")
    if text[:1] == "<" and text.endswith(">"):  # <5>, but not <5
        text = text.strip("<> ").rstrip(".")
    if text.endswith("!"):
        return ()  # the end of a sentence was taken off: 5! is 120
    if not _POINT.match(text):
        text = text.lstrip(" .")
    text = _SCIENTIFIC.sub(_plain_scientific, text)
    text = _without_aside(text)
    if _TWO_NAMES.search(text):
        return ()
    if text[:1] == "(" and text.endswith(")") and text.count("(") == 1:
        text = text[1:-1]
    # The right side of the last equation is the answer: "5 + 6 = 11".
    sides = [side for side in _EQUALS.split(text) if side.strip(" .$")]
    if not sides:
        return ()
    number = _first_number(sides[-1])
    if number is not None:
        return _values(number, sides[-1])
    value = _whole(sides[-1])
    if value or len(sides) == 1 or _UNKNOWN.search(sides[-1]):
        return value
    # "15 = 3 * 5" states 15, and how it came about; "10 = 2x" states nothing.
    return _whole(sides[0])


def without_emphasis(text: str) -> str:
    """Leave Markdown's asterisks out, and the signs of a product where they are."""
    return _EMPHASIS.sub(lambda match: match["inner"] or "", text)


def _plain_scientific(match: re.Match[str]) -> str:
    """Write ``3.2 x 10^5`` as ``320000``."""
    power = int(match["e"] or match["power"] or match["raised"].translate(_RAISED_DIGITS))
    value = Fraction(match["digits"]) * Fraction(10) ** power
    if value.denominator == 1:
        return str(value.numerator)
    places = len(match["digits"].partition(".")[2]) - power
    digits = str((value * 10**places).numerator).rjust(places + 1, "0")
    return f"{digits[:-places]}.{digits[-places:]}"


def _without_aside(text: str) -> str:
    """Leave out the equation that explains a number which stands before it."""
    aside = _ASIDE.search(text) if "=" in text else None
    if aside is None:
        return text
    stated = find_numbers(text[: aside.start()].rpartition("=")[2])
    if all(number.form == "word" for number in stated):
        return text  # "two years have since passed" explains nothing
    return text[: aside.start()] + text[aside.end() :]


def _grade_unmarked(output: str, wanted: tuple[Fraction, ...], gold: str) -> Grade:
    """Grade by the last number: in digits, else in words."""
    text, _ = strip_annotations(plain_characters(output))
    words: tuple[Number, str] | None = None
    for line in reversed(text.splitlines()):
        line = line[-MAX_LINE:]
        for number in reversed(find_numbers(line)):
            if number.form == "word":
                words = words or (number, line)
                continue
            return _grade_number(line, number, wanted, gold)
    if words is None:
        # Digits that are no number: too many of them, or part of a name.
        unread: Status = "unparsed" if any(c.isdigit() for c in text) else "no_answer"
        return Grade(None, unread, strict=False)
    status: Status = "correct" if meets(_values(*words), wanted, gold) else "wrong"
    return Grade(words[0].text, status, strict=False)


def _grade_number(line: str, number: Number, wanted: tuple[Fraction, ...], gold: str) -> Grade:
    text = line[number.full_start : number.full_end]
    if _PIECE.search(_before(line, number)) or _RAISED.match(line, number.full_end):
        return Grade(text, "unparsed", strict=False)
    status: Status = "correct" if meets(_values(number, line), wanted, gold) else "wrong"
    return Grade(text, status, strict=False)


def _is_strict(output: str, stated: Stated) -> bool:
    asked = asked_form(output) if stated.form == "stated" else None
    return asked is not None and parse_number(plain_numerals(asked)) is not None


def _first_number(text: str) -> Number | None:
    """Return the number that a short answer gives, in digits before in words."""
    numbers = find_numbers(text)
    if not numbers:
        return None
    number = next((n for n in numbers if n.form != "word"), numbers[0])
    return number if stands_alone(text, number) else None


def stands_alone(text: str, number: Number) -> bool:
    """Tell whether a number of a text is no part of a formula, a range, a list or a time."""
    start = max(0, number.full_start - _NEAR)
    if _BEFORE_OPERATOR.search(text, start, number.full_start):
        return False
    if number.form == "money" and _SHORT_SCALE.match(text, number.full_end):
        return False
    return _CONTINUES.match(text, number.full_end) is None


def _whole(text: str) -> tuple[Fraction, ...]:
    value = parse_number(text)
    return () if value is None else (value,)


def _values(number: Number, text: str) -> tuple[Fraction, ...]:
    """Return what a number of a text is worth, with the sign that stands apart from it."""
    percent = number.form == "percent"
    values = (number.value, 100 * number.value) if percent else (number.value,)
    return tuple([-value for value in values]) if _SIGN.search(_before(text, number)) else values


def _before(text: str, number: Number) -> str:
    return text[max(0, number.full_start - _NEAR) : number.full_start]


@lru_cache(maxsize=4096)
def gold_values(gold: str) -> tuple[Fraction, ...]:
    """Return what a gold answer is worth; empty where it is no number."""
    return read_answer(gold) if len(gold) <= MAX_CHARACTERS else ()
