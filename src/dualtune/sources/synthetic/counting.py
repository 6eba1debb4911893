"""Stories about things that are counted: gain and loss, comparison, groups, exchanges.

Every story is a function of a Scene and a depth, writes the question and exactly ``depth`` steps,
and asks for what the last step's equation comes to.
"""

from __future__ import annotations

from itertools import pairwise

from dualtune.sources.synthetic.lexicon import BELONGINGS, BOXES, Noun, Person
from dualtune.sources.synthetic.scene import Scene, divisors


def gain_loss(s: Scene, depth: int) -> None:
    """Somebody's things grow and shrink: one step an event, two where packs or friends count."""
    who, noun = s.person(), s.pick(BELONGINGS)
    amount = s.between(6, 60)
    things = noun.of(amount)
    s.say(
        f"{who} has {things}.",
        f"{who} starts with {things}.",
        f"There are {things} on {who}'s table.",
    )
    lost, left = False, depth
    while left:
        opener = f"{s.then()} {who.he}" if left < depth else s.pick((who.he, who.name))
        if left > 1 and s.chance(0.35):
            amount, lost = _bulk(s, opener, who, noun, amount)
            left -= 2
        else:
            amount, lost = _change(s, opener, who, noun, amount)
            left -= 1
    if lost:
        s.say(f"How many {noun} does {who} have left?", f"How many {noun} are left?")
    else:
        s.say(
            f"How many {noun} does {who} have now?", f"How many {noun} does {who} have in the end?"
        )


def _change(s: Scene, opener: str, who: Person, noun: Noun, amount: int) -> tuple[int, bool]:
    """One step: some come or some go. Returns the new amount, and whether it shrank."""
    if amount > 90 or (amount > 8 and s.chance(0.5)):
        k = s.between(2, min(amount - 3, 40))
        loss = [f"{opener} gives {noun.of(k)} to {s.person()}.", f"{opener} sells {k} of them."]
        loss.append(
            f"{opener} eats {k} of them." if noun.food and k < 8 else f"{opener} loses {k} of them."
        )
        s.say(*loss)
        s.step(
            f"{who} has {amount} - {k} = {noun.of(amount - k)} left.",
            f"That leaves {amount} - {k} = {noun.of(amount - k)}.",
        )
        return amount - k, True
    k = s.between(2, 40)
    gain = [f"{opener} gets {k} more from {s.person()}.", f"{opener} buys {k} more."]
    gain.append(
        f"{s.person()} brings {who.him} {k} more." if noun.food else f"{opener} finds {k} more."
    )
    s.say(*gain)
    s.step(
        f"{who} now has {amount} + {k} = {amount + k} {noun}.",
        f"That makes {amount} + {k} = {amount + k} {noun}.",
    )
    return amount + k, False


def _bulk(s: Scene, opener: str, who: Person, noun: Noun, amount: int) -> tuple[int, bool]:
    """Two steps: equal lots come or go. Returns the new amount, and whether it shrank."""
    lots = s.between(2, 6)
    if amount > 3 * lots and s.chance(0.5):
        each = s.between(2, min(9, (amount - 2) // lots))
        part = lots * each
        if s.chance(0.5):
            s.say(f"{opener} gives {each} {noun} to each of {who.his} {lots} friends.")
            s.step(f"{who.his} friends get {lots} * {each} = {part} {noun}.")
        else:
            s.say(f"{opener} fills {lots} bags with {each} {noun} each and sells them.")
            s.step(f"The bags hold {lots} * {each} = {part} {noun}.")
        s.step(
            f"{who} has {amount} - {part} = {noun.of(amount - part)} left.",
            f"That leaves {amount} - {part} = {noun.of(amount - part)}.",
        )
        return amount - part, True
    each, box = s.between(3, 12), s.pick(BOXES[:3])
    part = lots * each
    s.say(
        f"{opener} buys {lots} {box} of {each} {noun} each.",
        f"{opener} gets {lots} {box} with {each} {noun} in each.",
    )
    s.step(
        f"The {lots} {box} hold {lots} * {each} = {part} {noun}.",
        f"{who.he} gets {lots} * {each} = {part} {noun}.",
    )
    s.step(
        f"{who} now has {amount} + {part} = {amount + part} {noun}.",
        f"Together that is {amount} + {part} = {amount + part} {noun}.",
    )
    return amount + part, False


# verb with he or she, verb with they, what is counted
_DEEDS: tuple[tuple[str, str, Noun], ...] = (
    ("reads", "read", Noun("page", "pages")),
    ("scores", "score", Noun("point", "points")),
    ("plants", "plant", Noun("tree", "trees")),
    ("sells", "sell", Noun("raffle ticket", "raffle tickets")),
    ("folds", "fold", Noun("paper crane", "paper cranes")),
    ("takes", "take", Noun("photo", "photos")),
    ("washes", "wash", Noun("car", "cars")),
)
_TIMES = {2: "twice", 3: "three times", 4: "four times", 5: "five times"}
_PARTS = {2: "half", 3: "a third", 4: "a quarter"}


def comparison(s: Scene, depth: int) -> None:
    """A chain of people, each compared with the one before; then maybe all, or a difference."""
    if s.chance(0.6):
        noun = s.pick(BELONGINGS)
        does, do = s.pick((("has", "have"), ("collects", "collect"), ("buys", "buy")))
    else:
        does, do, noun = s.pick(_DEEDS)
    closing = depth > 1 and s.chance(0.6)
    people = s.people(depth if closing else depth + 1)
    counts = [s.between(4, 30)]
    s.say(f"{people[0]} {does} {noun.of(counts[0])}.")
    for before, who in pairwise(people):
        phrase, equation, value = _relate(s, counts[-1], noun, before)
        s.say(f"{who} {does} {phrase}.")
        s.step(
            f"{who} {does} {equation} = {noun.of(value)}.",
            f"For {who} that is {equation} = {noun.of(value)}.",
        )
        counts.append(value)
    if not closing:
        s.say(f"How many {noun} does {people[-1]} {do}?")
        return
    low, high = sorted((0, len(people) - 1), key=lambda i: counts[i])
    if depth > 2 and counts[high] - counts[low] > 1 and s.chance(0.3):
        gap = noun.of(counts[high] - counts[low])
        s.say(f"How many more {noun} does {people[high]} {do} than {people[low]}?")
        s.step(
            f"{people[high]} {does} {counts[high]} - {counts[low]} = {gap} more than {people[low]}."
        )
        return
    s.say(f"How many {noun} do they {do} in all?", f"How many {noun} do they {do} altogether?")
    total = " + ".join(map(str, counts))
    s.step(
        f"Together they {do} {total} = {sum(counts)} {noun}.",
        f"In all, they {do} {total} = {sum(counts)} {noun}.",
    )


def _relate(s: Scene, value: int, noun: Noun, other: Person) -> tuple[str, str, int]:
    """Draw a relation to a count: its wording, its expression, the new count."""
    draw = s.between(1, 10)
    if draw <= 4 and value <= 40:
        k = s.between(2, 5 if value <= 12 else 3) if draw < 3 else 2
        return f"{_TIMES[k]} as many {noun} as {other}", f"{k} * {value}", k * value
    if draw <= 6 and (fits := divisors(value, 2, 4)) and value >= 8:
        k = s.pick(fits)
        return f"{_PARTS[k]} as many {noun} as {other}", f"{value} / {k}", value // k
    k = s.between(2, 15)
    if value - k >= 3 and (value > 60 or s.chance(0.5)):
        return f"{k} fewer {noun} than {other}", f"{value} - {k}", value - k
    return f"{k} more {noun} than {other}", f"{value} + {k}", value + k


# depth: (steps that find the total, steps that take some away, steps of the end)
_GROUP_PLANS: dict[int, tuple[tuple[int, int, int], ...]] = {
    1: ((0, 0, 1),),
    2: ((0, 0, 2), (1, 0, 1), (0, 1, 1)),
    3: ((0, 0, 3), (1, 0, 2), (1, 1, 1), (0, 1, 2)),
    4: ((1, 0, 3), (2, 0, 2), (2, 1, 1), (1, 1, 2)),
    5: ((2, 0, 3), (1, 1, 3), (2, 1, 2)),
    6: ((2, 1, 3),),
}


def groups(s: Scene, depth: int) -> None:
    """Things go into boxes of equal size: how many boxes, how many are left over."""
    who, noun, box = s.person(), s.pick(BELONGINGS), s.pick(BOXES)
    find, remove, end = s.pick(_GROUP_PLANS[depth])
    size = s.between(3, 12)
    boxes = s.between(3, 12)
    over = 0 if end == 1 else s.between(1, size - 1)
    packed = size * boxes + over
    taken = s.between(2, 9) if remove else 0
    _gather(s, who, noun, packed + taken, find)
    if taken:
        bad = s.pick(("rotten", "for a neighbor") if noun.food else ("broken", "for a neighbor"))
        s.say(f"{taken} of them are {bad} and are put aside.")
        s.step(
            f"That leaves {packed + taken} - {taken} = {packed} {noun}.",
            f"Without those, there are {packed + taken} - {taken} = {packed} {noun}.",
        )
    if end == 1:
        _equal_groups(s, who, noun, box, packed=packed, size=size)
        return
    goal = s.pick(("each", "full"))
    s.say(
        f"{who} packs the {noun} into {box} of {size}.",
        f"{who} puts {size} {noun} into {goal} {box.one}."
        if goal == "each"
        else f"A full {box.one} holds {size} {noun}.",
    )
    s.step(
        f"{boxes} {box} can be filled, which takes {boxes} * {size} = {packed - over} {noun}.",
        f"The largest multiple of {size} up to {packed} is {boxes} * {size} = {packed - over}.",
    )
    rest = f"{packed} - {packed - over} = {noun.of(over)}"
    s.step(f"{rest} {'is' if over == 1 else 'are'} left over.", f"That leaves {rest}.")
    if end == 2:
        s.say(f"How many {noun} are left over?", f"How many {noun} do not fill a {box.one}?")
    elif s.chance(0.5):
        s.say(f"How many {box} does {who} need for all of them?")
        s.step(f"One more {box.one} takes the {over} left over: {boxes} + 1 = {boxes + 1} {box}.")
    else:
        s.say(f"How many more {noun} does {who} need to fill the last {box.one}?")
        s.step(f"To fill it, {who.he} needs {size} - {over} = {size - over} more.")


def _equal_groups(s: Scene, who: Person, noun: Noun, box: Noun, *, packed: int, size: int) -> None:
    """One step: everything is divided without a rest."""
    count = packed // size
    if s.chance(0.6):
        s.say(
            f"{who} packs the {noun} into {box} of {size}.",
            f"{who} puts {size} {noun} into each {box.one}.",
        )
        s.say(f"How many {box} does {who} fill?", f"How many {box} are there?")
        s.step(
            f"{who.he} fills {packed} / {size} = {count} {box}.",
            f"That is {packed} / {size} = {count} {box}.",
        )
        return
    s.say(
        f"{who} shares the {noun} equally among {size} children.",
        f"{who} splits the {noun} evenly between {size} friends.",
    )
    s.say(f"How many {noun} does each one get?", f"How many {noun} are there for each?")
    s.step(f"Each one gets {packed} / {size} = {noun.of(count)}.")


def _gather(s: Scene, who: Person, noun: Noun, total: int, steps: int) -> None:
    """Introduce a total: told (no step), as two amounts (one), as rows and loose ones (two)."""
    if steps == 0:
        s.say(f"{who} has {total} {noun}.", f"There are {total} {noun} in {who}'s room.")
        return
    if steps == 1:
        a = s.between(total // 4 + 1, total * 3 // 4)
        b = total - a
        s.say(
            f"{who} has {a} small {noun} and {b} large {noun}.",
            f"{who} has {noun.of(a)} and gets {b} more.",
        )
        s.step(
            f"{who} has {a} + {b} = {total} {noun}.",
            f"In all there are {a} + {b} = {total} {noun}.",
        )
        return
    lots = s.between(2, max(2, min(6, total // 4)))
    each = (total - s.between(1, max(1, total // 4))) // lots
    loose = total - lots * each
    s.say(
        f"{who} has {lots} crates of {each} {noun} and {loose} loose {noun.word(loose)}.",
        f"{who} has {lots} crates with {each} {noun} each, and {loose} more.",
    )
    s.step(f"The crates hold {lots} * {each} = {lots * each} {noun}.")
    s.step(
        f"In all there are {lots * each} + {loose} = {total} {noun}.",
        f"{who} has {lots * each} + {loose} = {total} {noun}.",
    )


def exchanges(s: Scene, depth: int) -> None:
    """Two people hand things to each other: what one has, or how far apart they end."""
    a, b = s.people(2)
    noun = s.pick(BELONGINGS)
    if depth == 1 or (depth < 4 and s.chance(0.5)):
        _swaps(s, a, b, noun, depth)
    elif depth == 2 or (depth == 4 and s.chance(0.5)):
        _share_passed(s, a, b, noun, both=depth == 4)
    else:
        _both_sides(s, a, b, noun, depth)


def _swaps(s: Scene, a: Person, b: Person, noun: Noun, depth: int) -> None:
    """A's count through some gifts and swaps, one step each way."""
    amount = s.between(10, 50)
    s.say(f"{a} has {noun.of(amount)}.", f"{a} brings {noun.of(amount)} to a trade with {b}.")
    left = depth
    while left:
        opener = s.then() + " " if left < depth else ""
        k = s.between(2, min(9, amount - 3))
        if left > 1 and s.chance(0.6):
            j = s.between(2, 12)
            s.say(
                f"{opener}{a} trades {k} large {noun} for {j} small ones from {b}.",
                f"{opener}{a} swaps {k} of {a.his} {noun} for {j} of {b}'s {noun}.",
            )
            s.step(f"After giving, {a} has {amount} - {k} = {noun.of(amount - k)}.")
            s.step(f"With those from {b}, {a.he} has {amount - k} + {j} = {amount - k + j} {noun}.")
            amount += j - k
            left -= 2
            continue
        if amount > 8 and s.chance(0.5):
            s.say(f"{opener}{a} gives {k} {noun} to {b}.", f"{opener}{a} hands {b} {k} {noun}.")
            s.step(f"{a} keeps {amount} - {k} = {noun.of(amount - k)}.")
            amount -= k
        else:
            s.say(f"{opener}{b} gives {a} {k} more {noun}.", f"{opener}{b} hands {a} {k} more.")
            s.step(f"With the gift, {a} has {amount} + {k} = {amount + k} {noun}.")
            amount += k
        left -= 1
    s.say(f"How many {noun} does {a} have now?", f"How many {noun} does {a} have then?")


def _share_passed(s: Scene, a: Person, b: Person, noun: Noun, *, both: bool) -> None:
    """B hands A a fraction: A's new count (two steps), or the difference of both (four)."""
    k = s.pick((2, 2, 3, 4, 5))
    part = s.between(2, 12)
    has, given = s.between(5, 40), k * part
    if has + part == given - part:
        has += 1
    word = {2: "half", 3: "a third", 4: "a quarter", 5: "a fifth"}[k]
    s.say(
        f"{a} has {noun.of(has)} and {b} has {given}.", f"{b} has {given} {noun} and {a} has {has}."
    )
    s.say(f"{b} gives {word} of {b.his} {noun} to {a}.")
    s.step(
        f"{b} gives away {given} / {k} = {part} {noun}.",
        f"{word} of {given} is {given} / {k} = {part}.",
    )
    s.step(f"{a} then has {has} + {part} = {has + part} {noun}.")
    if not both:
        s.say(f"How many {noun} does {a} have now?", f"How many {noun} does {a} have then?")
        return
    s.step(f"{b} keeps {given} - {part} = {noun.of(given - part)}.")
    _difference(s, (a, has + part), (b, given - part), noun)


def _both_sides(s: Scene, a: Person, b: Person, noun: Noun, depth: int) -> None:
    """A gift, then events of one's own (one step each), then the difference."""
    counts = [s.between(15, 50), s.between(5, 40)]
    k = s.between(2, 9)
    if counts[0] - k == counts[1] + k:
        counts[0] += 1
    s.say(f"{a} has {noun.of(counts[0])} and {b} has {counts[1]}.")
    s.say(f"{a} gives {k} {noun} to {b}.", f"{a} hands {k} of {a.his} {noun} to {b}.")
    s.step(f"{a} has {counts[0]} - {k} = {noun.of(counts[0] - k)} left.")
    s.step(f"{b} has {counts[1]} + {k} = {counts[1] + k} {noun} now.")
    counts = [counts[0] - k, counts[1] + k]
    for turn in range(depth - 3):
        who, i = ((a, 0), (b, 1))[turn % 2] if turn < 2 else ((a, 0), (b, 1))[s.between(0, 1)]
        k = s.between(2, 20)
        before = counts[i]
        if before > k + 2 and s.chance(0.5):
            does = "eats" if noun.food and k < 8 else "loses"
            s.say(f"{s.then()} {who} {does} {k} of {who.his} {noun}.")
            counts[i] -= k
            s.step(f"{who} is left with {before} - {k} = {noun.of(counts[i])}.")
        else:
            s.say(f"{s.then()} {who} buys {k} more {noun}.")
            counts[i] += k
            s.step(f"{who} now has {before} + {k} = {counts[i]} {noun}.")
    _difference(s, (a, counts[0]), (b, counts[1]), noun)


def _difference(s: Scene, one: tuple[Person, int], two: tuple[Person, int], noun: Noun) -> None:
    """Ask for the difference of two counts; for the sum where they are equal."""
    (low, less), (high, more) = sorted((one, two), key=lambda pair: pair[1])
    if less == more:
        s.say(f"How many {noun} do {one[0]} and {two[0]} have together now?")
        s.step(f"Together they have {one[1]} + {two[1]} = {one[1] + two[1]} {noun}.")
        return
    s.say(f"How many more {noun} does {high} have than {low} now?")
    s.step(f"{high} has {more} - {less} = {noun.of(more - less)} more than {low}.")
