"""Stories about measures: distance and time, area."""

from __future__ import annotations

from dualtune.sources.synthetic.lexicon import (
    HALF,
    HOUR,
    KM,
    METER,
    MILE,
    SQUARE_METER,
    Noun,
    Person,
    Value,
    num,
    usd,
)
from dualtune.sources.synthetic.scene import Scene, divisors

# What somebody does, and speeds an hour at which it is done.
_WAYS: tuple[tuple[str, str, tuple[int, ...]], ...] = (
    ("walks", "walk", (3, 4, 5, 6)),
    ("jogs", "jog", (7, 8, 9, 10, 11)),
    ("cycles", "cycle", (10, 12, 14, 15, 16, 18, 20, 22)),
    ("drives", "drive", (40, 45, 50, 55, 60, 65, 70, 80)),
    ("rides", "ride", (8, 9, 10, 11, 12, 13, 14)),
    ("paddles", "paddle", (4, 5, 6, 7)),
)
_TIMES: tuple[Value, ...] = (1, 2, 2, 3, 3, 4, 1 + HALF, 2 + HALF, 3 + HALF)
_ONE_WAY: tuple[Value, ...] = (HALF, 1, 1 + HALF, 2)
_LEGS = ("first", "second", "third")
_OPENERS = ("", "Then", "After that")


def distance(s: Scene, depth: int) -> None:
    """Speed and time make legs of a trip: their sum, what remains, the average speed."""
    who, unit = s.person(), s.pick((KM, MILE))
    does, do, speeds = s.pick(_WAYS)
    if depth == 1:
        _one_leg(s, who, unit, does, do, speed=s.pick(speeds))
    elif depth == 2 or (depth == 3 and s.chance(0.45)):
        _there_and_back(s, who, unit, does, do, speed=s.pick(speeds), days=depth == 3)
    else:
        _legs(s, who, unit, does, do, speeds, depth)


def _one_leg(s: Scene, who: Person, unit: Noun, does: str, do: str, *, speed: int) -> None:
    """One step: distance, speed or time from the other two."""
    asked = s.between(1, 4)
    if asked > 2:
        time = s.pick(_TIMES)
        s.say(f"{who} {does} for {HOUR.of(time)} at {speed} {unit} per hour.")
        s.say(f"How many {unit} is that?", f"How far does {who} {do}, in {unit}?")
        line = f"{speed} * {num(time)} = {unit.of(speed * time)}"
        s.step(f"{who} covers {line}.", f"The distance is {line}.")
        return
    hours = s.between(2, 6)
    way = speed * hours
    if asked == 1:
        s.say(f"{who} {does} {unit.of(way)} in {HOUR.of(hours)} at an even speed.")
        s.say(f"How many {unit} per hour is that?", f"What is {who}'s speed in {unit} per hour?")
        s.step(f"The speed is {way} / {hours} = {unit.of(speed)} per hour.")
        return
    s.say(f"{who} {does} at {speed} {unit} per hour.")
    s.say(
        f"How many hours does {who} need for {unit.of(way)}?",
        f"How many hours do {unit.of(way)} take?",
    )
    line = f"{way} / {speed} = {HOUR.of(hours)}"
    s.step(f"The time is {line}.", f"{who} needs {line}.")


def _there_and_back(
    s: Scene, who: Person, unit: Noun, does: str, do: str, *, speed: int, days: bool
) -> None:
    """There and back (two steps), on several days (three)."""
    time = s.pick(_ONE_WAY)
    way = speed * time
    place = s.pick(("the lake", "a friend's house", "the next town", "the beach", "a farm"))
    s.say(f"{who} {does} to {place} at {speed} {unit} per hour.")
    s.say(f"It takes {HOUR.of(time)}, and {who.he} comes back the same way.")
    line = f"{speed} * {num(time)} = {unit.of(way)}"
    s.step(f"One way is {line}.", f"{who} covers {line} one way.")
    s.step(f"There and back is 2 * {num(way)} = {unit.of(way * 2)}.")
    if not days:
        s.say(f"How many {unit} does {who} {do} in all?", f"How many {unit} is the round trip?")
        return
    count = s.between(2, 7)
    s.say(f"How many {unit} does {who} {do} if {who.he} does this on {count} days?")
    s.step(f"On {count} days that is {count} * {num(way * 2)} = {unit.of(way * 2 * count)}.")


def _legs(
    s: Scene, who: Person, unit: Noun, does: str, do: str, speeds: tuple[int, ...], depth: int
) -> None:
    """Two or three legs and their sum; then what remains, or the average speed."""
    average = depth > 4 and s.chance(0.4)
    count = 2 if depth < 5 or (average and depth == 5) else 3
    legs = _even_legs(s, speeds, count) if average else _any_legs(s, speeds, count)
    covered = [speed * time for speed, time in legs]
    for i, (speed, time) in enumerate(legs):
        opener = f"{_OPENERS[i]} {who.he}" if i else who.name
        s.say(f"{opener} {does} for {HOUR.of(time)} at {speed} {unit} per hour.")
        line = f"{speed} * {num(time)} = {unit.of(covered[i])}"
        s.step(
            f"In the {_LEGS[i]} part, {who} covers {line}.",
            f"The {_LEGS[i]} part is {line}.",
        )
    total = sum(covered)
    line = f"{' + '.join(map(num, covered))} = {unit.of(total)}"
    s.step(f"The whole way is {line}.", f"In all, {who} covers {line}.")
    if average:
        hours = sum(time for _, time in legs)
        s.step(f"It takes {' + '.join(num(t) for _, t in legs)} = {HOUR.of(hours)}.")
        s.step(
            f"The average is {num(total)} / {num(hours)} = {num(total // hours)} {unit} per hour."
        )
        s.say(f"What is {who}'s average speed in {unit} per hour?")
        return
    left = depth - count - 1
    if not left:
        s.say(f"How many {unit} does {who} {do} in all?", f"How far does {who} {do}, in {unit}?")
        return
    speed = s.pick(speeds)
    rest = speed * s.between(1, 4) if left > 1 else s.between(2, 40)
    goal = unit.of(total + rest)
    s.say(f"The goal is {goal} away from the start.", f"The whole trip is {goal} long.")
    s.step(f"The rest of the way is {num(total + rest)} - {num(total)} = {unit.of(rest)}.")
    if left == 1:
        s.say(f"How many {unit} are left?", f"How many more {unit} must {who} {do}?")
        return
    s.say(f"How many hours does the rest take at {speed} {unit} per hour?")
    s.step(f"That takes {rest} / {speed} = {HOUR.of(rest // speed)}.")


def _any_legs(s: Scene, speeds: tuple[int, ...], count: int) -> list[tuple[int, Value]]:
    return [(s.pick(speeds), s.pick(_TIMES)) for _ in range(count)]


def _even_legs(s: Scene, speeds: tuple[int, ...], count: int) -> list[tuple[int, Value]]:
    """Draw legs whose average speed is a whole number."""
    while True:
        legs: list[tuple[int, Value]] = [(s.pick(speeds), s.between(1, 4)) for _ in range(count)]
        if sum(v * t for v, t in legs) % sum(t for _, t in legs) == 0:
            return legs


_PLOTS = ("garden", "yard", "backyard", "park", "playground", "schoolyard")
_HOLES = ("pond", "shed", "flower bed", "patio", "sandbox")
_ROOMS = ("kitchen", "bedroom", "hall", "study", "living room", "classroom", "workshop", "library")


def area(s: Scene, depth: int) -> None:
    """Rectangles: area or perimeter, two of them added or taken apart, covered at a price."""
    if depth > 2:
        _two_floors(s, depth)
    elif s.chance(0.4):
        _edge(s, depth)
    else:
        _one_floor(s, depth)


def _two_floors(s: Scene, depth: int) -> None:
    """One area in another or beside it (three steps), and what it costs to cover."""
    inside = s.chance(0.5)
    if inside:
        one, two = s.pick(_PLOTS), s.pick(_HOLES)
        l1, w1, l2, w2 = s.between(8, 15), s.between(7, 12), s.between(2, 6), s.between(2, 5)
        s.say(
            f"A {one} is {l1} meters long and {w1} meters wide. "
            f"A {two} in it is {l2} meters by {w2} meters.",
            f"In a {one} of {l1} by {w1} meters there is a {two} of {l2} by {w2} meters.",
        )
    else:
        one, two = s.sample(_ROOMS, 2)
        l1, w1, l2, w2 = s.between(5, 12), s.between(3, 9), s.between(3, 9), s.between(3, 6)
        s.say(
            f"A {one} is {l1} meters by {w1} meters, and a {two} is {l2} meters by {w2} meters.",
            f"The {one} of a house is {l1} by {w1} meters and the {two} is {l2} by {w2} meters.",
        )
    for name, length, width in ((one, l1, w1), (two, l2, w2)):
        line = f"{length} * {width} = {length * width} square meters"
        s.step(f"The {name} has {line}.", f"The area of the {name} is {line}.")
    if inside:
        free = l1 * w1 - l2 * w2
        line = f"{l1 * w1} - {l2 * w2} = {free} square meters"
        s.step(f"Without the {two} it is {line}.", f"That leaves {line}.")
        asked = f"the area of the {one} without the {two}"
    else:
        free = l1 * w1 + l2 * w2
        line = f"{l1 * w1} + {l2 * w2} = {free} square meters"
        s.step(f"Both floors have {line}.", f"Together that is {line}.")
        asked = "the area of both floors together"
    if depth == 3:
        s.say(f"What is {asked}, in square meters?", f"In square meters, what is {asked}?")
        return
    if inside:
        _cover(s, free, depth - 3, "grass", "the rest", "bag")
    else:
        _cover(s, free, depth - 3, "carpet", "both floors", "roll")


def _cover(s: Scene, free: int, steps: int, what: str, floor: str, unit: str) -> None:
    """Cover an area at a price, by the pack, within a budget."""
    who = s.person()
    fits = divisors(free, 2, 12)
    if steps > 1 and fits and s.chance(0.6):
        size, price = s.pick(fits), s.between(3, 12)
        packs = free // size
        s.say(f"{who} covers {floor} with {what}.")
        s.say(f"One {unit} is enough for {size} square meters and costs {usd(price)}.")
        s.step(f"{who} needs {free} / {size} = {packs} {unit if packs == 1 else unit + 's'}.")
        cost, steps = packs * price, steps - 2
        s.step(f"They cost {packs} * {usd(price)} = {usd(cost)}.")
    else:
        price = s.between(2, 6)
        s.say(
            f"{who} covers {floor} with {what} at {usd(price)} per square meter.",
            f"{who} covers {floor} with {what} that costs {usd(price)} per square meter.",
        )
        cost, steps = free * price, steps - 1
        s.step(
            f"The {what} costs {free} * {usd(price)} = {usd(cost)}.",
            f"That costs {free} * {usd(price)} = {usd(cost)}.",
        )
    if not steps:
        s.say(f"How much does {who} pay?", "How many dollars does it cost?")
        return
    fee = s.between(2, 9) * 5
    if steps == 2:
        s.say(f"Delivery is {usd(fee)}.", f"{who.he} also pays {usd(fee)} for tools.")
        s.step(f"With that, it is {usd(cost)} + {usd(fee)} = {usd(cost + fee)}.")
        cost += fee
    budget = (cost // 50 + s.between(1, 3)) * 50
    s.say(f"{who.his} budget is {usd(budget)}.", f"{who} has {usd(budget)}.")
    s.say("How much money is left?", f"How many dollars does {who} have left?")
    s.step(
        f"{who} has {usd(budget)} - {usd(cost)} = {usd(budget - cost)} left.",
        f"That leaves {usd(budget)} - {usd(cost)} = {usd(budget - cost)}.",
    )


def _edge(s: Scene, depth: int) -> None:
    """The perimeter; with a second step, the price of a fence or the width from the area."""
    plot, length, width = s.pick(_PLOTS), s.between(4, 25), s.between(3, 15)
    around = 2 * (length + width)
    if depth == 2 and s.chance(0.5):
        s.say(
            f"A {plot} has an area of {length * width} square meters and is {length} meters long.",
            f"A rectangular {plot} of {length * width} square meters is {length} meters long.",
        )
        s.say("How many meters is its perimeter?", "What is its perimeter in meters?")
        s.step(f"Its width is {length * width} / {length} = {width} meters.")
        s.step(f"The perimeter is 2 * ({length} + {width}) = {around} meters.")
        return
    s.say(
        f"A rectangular {plot} is {length} meters long and {width} meters wide.",
        f"A {plot} is a rectangle of {length} by {width} meters.",
    )
    s.step(
        f"The perimeter is 2 * ({length} + {width}) = {around} meters.",
        f"Around the {plot} it is 2 * ({length} + {width}) = {around} meters.",
    )
    if depth == 1:
        s.say("How many meters of fence go around it?", "What is its perimeter in meters?")
        return
    price = s.between(2, 12)
    s.say(f"A meter of fence costs {usd(price)}.", f"Fencing costs {usd(price)} per meter.")
    s.say("How many dollars does a fence around it cost?", "How much is a fence all around it?")
    s.step(f"The fence costs {around} * {usd(price)} = {usd(around * price)}.")


def _one_floor(s: Scene, depth: int) -> None:
    """The area of a floor; with a second step, its price or how many tiles."""
    room, width = s.pick(_ROOMS), s.between(3, 10)
    length: Value = s.between(4, 12)
    if width % 2 == 0 and s.chance(0.4):
        length = length + HALF
    size = length * width
    s.say(
        f"The floor of a {room} is {num(length)} meters long and {METER.of(width)} wide.",
        f"A {room} is {num(length)} meters by {METER.of(width)}.",
    )
    s.step(
        f"The area is {num(length)} * {width} = {SQUARE_METER.of(size)}.",
        f"The {room} has {num(length)} * {width} = {SQUARE_METER.of(size)}.",
    )
    if depth == 1:
        s.say("What is its area in square meters?", f"How many square meters is the {room}?")
        return
    price = s.between(3, 15)
    s.say(
        f"Tiles cost {usd(price)} per square meter.",
        f"A square meter of carpet costs {usd(price)}.",
    )
    s.say("How many dollars does the floor cost?", "How much does it cost to cover the floor?")
    s.step(
        f"The floor costs {num(size)} * {usd(price)} = {usd(size * price)}.",
        f"That costs {num(size)} * {usd(price)} = {usd(size * price)}.",
    )
