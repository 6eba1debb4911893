"""Story types that no training split holds: averages, legs and wheels, patterns, savings."""

from __future__ import annotations

from dualtune.sources.synthetic.lexicon import HALF, WEEK, Noun, Person, Value, usd
from dualtune.sources.synthetic.scene import Scene

_SCORES: tuple[tuple[str, Noun], ...] = (
    ("scores", Noun("point", "points")),
    ("reads", Noun("page", "pages")),
    ("shoots", Noun("goal", "goals")),
    ("sells", Noun("cake", "cakes")),
    ("swims", Noun("lap", "laps")),
    ("draws", Noun("picture", "pictures")),
    ("does", Noun("push-up", "push-ups")),
)


def averages(s: Scene, depth: int) -> None:
    """A mean from a sum, or the value that a mean asks for."""
    who, (does, noun) = s.person(), s.pick(_SCORES)
    mean = s.between(6, 30)
    if depth == 1:
        days = s.between(3, 8)
        s.say(
            f"In {days} days, {who} {does} {mean * days} {noun} in total.",
            f"{who} {does} {mean * days} {noun} in {days} days.",
        )
        s.say(
            f"What is the average number of {noun} per day?",
            f"How many {noun} is that per day on average?",
        )
        s.step(f"The average is {mean * days} / {days} = {mean} {noun} per day.")
        return
    values = _around(s, mean, s.between(3, 4))
    if depth == 2:
        plus, total = " + ".join(map(str, values)), sum(values)
        s.say(f"On {len(values)} days, {who} {does} {_and(values)} {noun}.")
        s.say(f"What is the average number of {noun} per day?", "What is the average per day?")
        s.step(f"The sum is {plus} = {total}.", f"In all, {who} {does} {plus} = {total} {noun}.")
        s.step(f"The average is {total} / {len(values)} = {mean} {noun} per day.")
        return
    _wanted_average(s, who, does, noun, values, compare=depth == 4)


def _wanted_average(
    s: Scene, who: Person, does: str, noun: Noun, values: list[int], *, compare: bool
) -> None:
    """What the last day must bring (three steps), and how that differs from the first (four)."""
    days, known, total = len(values), values[:-1], sum(values)
    mean, need, first = total // days, values[-1], values[0]
    s.say(f"On the first {days - 1} days, {who} {does} {_and(known)} {noun}.")
    s.say(f"{who.he} wants an average of {mean} over {days} days.")
    s.step(f"The first {days - 1} days bring {' + '.join(map(str, known))} = {sum(known)} {noun}.")
    s.step(f"An average of {mean} over {days} days takes {days} * {mean} = {total} {noun}.")
    s.step(f"The last day must bring {total} - {sum(known)} = {noun.of(need)}.")
    if not compare:
        s.say(f"How many {noun} does {who} need on the last day?")
        return
    more = "more" if need > first else "fewer"
    s.say(f"How many {more} {noun} does the last day need than the first day had?")
    high, low = max(need, first), min(need, first)
    s.step(f"That is {high} - {low} = {high - low} {more} than on the first day.")


def _around(s: Scene, mean: int, count: int) -> list[int]:
    """Draw whole numbers with the given mean, the last unlike the first."""
    while True:
        values = [mean + s.between(-4, 4) for _ in range(count - 1)]
        last = mean * count - sum(values)
        if last > 1 and last != values[0]:
            return [*values, last]


def _and(parts: list[int] | list[str]) -> str:
    words = [str(part) for part in parts]
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def _parted(text: str) -> tuple[tuple[Noun, int], ...]:
    """Read ``hen 2``: a noun and how many legs or wheels one has."""
    pairs = (entry.split() for entry in text.split(", "))
    return tuple((Noun(one, f"{one}s"), int(count)) for one, count in pairs)


_OWNERS: tuple[tuple[str, str, tuple[tuple[Noun, int], ...]], ...] = (
    ("legs", "on a farm", _parted("hen 2, cow 4, duck 2, goat 4, horse 4, rooster 2")),
    ("legs", "at the zoo", _parted("flamingo 2, zebra 4, parrot 2, lion 4, penguin 2")),
    ("wheels", "in a shop", _parted("bicycle 2, tricycle 3, wagon 4, scooter 2, unicycle 1")),
    ("legs", "in a hall", _parted("stool 3, table 4, chair 4, sofa 4")),
    ("legs", "in a museum case", _parted("spider 8, beetle 6, lizard 4, moth 6, crab 10")),
    ("strings", "in a music room", _parted("guitar 6, violin 4, ukulele 4, banjo 5")),
)


def legs_and_wheels(s: Scene, depth: int) -> None:
    """Legs or wheels are counted through their owners."""
    who, (parts, place, owners) = s.person(), s.pick(_OWNERS)
    if depth == 2:
        (noun, k), n, gone = s.pick(owners), s.between(8, 30), s.between(2, 6)
        s.say(f"{who} counts {n} {noun} {place}. Each {noun.one} has {_some(k, parts)}.")
        s.say(f"Then {gone} of them are taken away.", f"Later, {gone} of them are gone.")
        s.say(f"How many {parts} are left?", f"How many {parts} do the others have?")
        s.step(f"{n} - {gone} = {n - gone} {noun} are left.")
        s.step(f"They have {n - gone} * {k} = {(n - gone) * k} {parts}.")
        return
    kinds = s.sample(owners, {1: 1, 3: 2, 4: 3}[depth])
    while len(kinds) > 1 and kinds[0][1] == kinds[1][1]:
        kinds = s.sample(owners, len(kinds))
    herd = [(noun, k, s.between(3, 15)) for noun, k in kinds]
    if depth == 3 and s.chance(0.5):
        _unknown_owners(s, who, parts, place, herd)
        return
    s.say(f"{who} sees {_and([noun.of(n) for noun, _, n in herd])} {place}.")
    s.say(f"{_and([f'each {noun.one} has {_some(k, parts)}' for noun, k, _ in herd])}.")
    s.say(f"How many {parts} are there in all?", f"How many {parts} does {who} see?")
    counts = [n * k for _, k, n in herd]
    for (noun, k, n), count in zip(herd, counts, strict=True):
        s.step(f"The {noun} have {n} * {k} = {count} {parts}.")
    if depth > 1:
        line = f"{' + '.join(map(str, counts))} = {sum(counts)} {parts}"
        s.step(f"In all there are {line}.", f"Together that is {line}.")


def _some(count: int, parts: str) -> str:
    return f"{count} {parts if count > 1 else parts[:-1]}"


def _unknown_owners(
    s: Scene, who: Person, parts: str, place: str, herd: list[tuple[Noun, int, int]]
) -> None:
    """Three steps: from all parts and one kind of owner to how many of the other kind."""
    (one, k, m), (two, j, n) = herd
    total = m * k + n * j
    s.say(f"{who} counts {total} {parts} on {one.of(m)} and some {two} {place}.")
    s.say(f"Each {one.one} has {_some(k, parts)} and each {two.one} has {_some(j, parts)}.")
    s.say(f"How many {two} are there?", f"How many {two} does {who} see?")
    s.step(f"The {one} have {m} * {k} = {m * k} {parts}.")
    s.step(f"That leaves {total} - {m * k} = {n * j} {parts} for the {two}.")
    s.step(f"There are {n * j} / {j} = {n} {two}.")


_ROWS: tuple[tuple[str, str, Noun], ...] = (
    ("plans a theater", "row", Noun("seat", "seats")),
    ("paints a parking lot", "row", Noun("space", "spaces")),
    ("builds a tower", "layer", Noun("brick", "bricks")),
    ("sews a quilt", "ring", Noun("patch", "patches")),
    ("plants a flower bed", "row", Noun("tulip", "tulips")),
    ("lays a path", "section", Noun("stone", "stones")),
    ("knits a shawl", "row", Noun("stitch", "stitches")),
)
_NTH = ("first", "second", "third", "fourth", "fifth")


def patterns(s: Scene, depth: int) -> None:
    """Rows that grow by the same number or factor: one of them, or all together."""
    who, (does, row, noun) = s.person(), s.pick(_ROWS)
    doubling, first, more = s.chance(0.3), s.between(3, 20), s.between(2, 8)
    total = depth > 1 and s.chance(0.5)
    rows = depth if total else depth + 1
    s.say(f"{who} {does}. The first {row} has {noun.of(first)}.")
    rule = f"twice as many {noun} as" if doubling else f"{more} more {noun} than"
    s.say(
        f"Each {row} after it has {rule} the one before.", f"Every next {row} has {rule} the last."
    )
    counts = [first]
    for i in range(1, rows):
        line, value = f"{counts[-1]} + {more}", counts[-1] + more
        if doubling:
            line, value = f"2 * {counts[-1]}", 2 * counts[-1]
        s.step(f"The {_NTH[i]} {row} has {line} = {value} {noun}.")
        counts.append(value)
    if not total:
        nth = f"{_NTH[rows - 1]} {row}"
        s.say(f"How many {noun} does the {nth} have?", f"How many {noun} are in the {nth}?")
        return
    s.say(f"How many {noun} do the first {rows} {row}s have together?")
    line = f"{' + '.join(map(str, counts))} = {sum(counts)} {noun}"
    s.step(f"The first {rows} {row}s have {line}.", f"All {rows} {row}s together have {line}.")


_WISHES = ("bike", "guitar", "tablet", "camera", "skateboard", "telescope", "keyboard", "tent")


def savings(s: Scene, depth: int) -> None:
    """So much a week towards a goal: how much is there, how many weeks it takes."""
    who, wish = s.person(), s.pick(_WISHES)
    weekly, weeks = s.between(4, 20), s.between(3, 12)
    if depth == 1:
        amount: Value = weekly + HALF if s.chance(0.4) else weekly
        time = WEEK.of(weeks)
        s.say(
            f"{who} saves {usd(amount)} every week for a {wish}.",
            f"Every week {who} puts {usd(amount)} into a jar for a {wish}.",
        )
        s.say(f"How many dollars does {who} save in {time}?", f"How much is that after {time}?")
        s.step(f"In {time}, {who} saves {weeks} * {usd(amount)} = {usd(weeks * amount)}.")
        return
    have, gift = s.between(5, 60), s.between(5, 30) if depth == 4 else 0
    chores = s.between(3, 12) if depth > 2 else 0
    rate = weekly + chores
    need = rate * weeks
    goal = need + have + gift
    s.say(
        f"{who} wants a {wish} for {usd(goal)} and has {usd(have)}.",
        f"A {wish} costs {usd(goal)}, and {who} has {usd(have)} so far.",
    )
    if gift:
        s.say(f"{who.his} uncle gives {who.him} {usd(gift)} towards it.")
        s.step(f"With the gift, {who} has {usd(have)} + {usd(gift)} = {usd(have + gift)}.")
    s.step(f"{who} still needs {usd(goal)} - {usd(have + gift)} = {usd(need)}.")
    if chores:
        s.say(f"{who.he} saves {usd(weekly)} of allowance and {usd(chores)} from chores each week.")
        s.step(f"{who} saves {usd(weekly)} + {usd(chores)} = {usd(rate)} a week.")
    else:
        s.say(f"{who.he} saves {usd(weekly)} a week.", f"{who.he} can save {usd(weekly)} a week.")
    s.say(f"In how many weeks can {who} buy the {wish}?", f"How many weeks does {who} need?")
    s.step(f"That takes {usd(need)} / {usd(rate)} = {weeks} weeks.")
