"""Stories about people in time: ages and shared work."""

from __future__ import annotations

from itertools import pairwise

from dualtune.sources.synthetic.lexicon import DAY, HOUR, YEAR, Noun, Person, usd
from dualtune.sources.synthetic.scene import Scene, divisors

_ALWAYS = ("none", "none", "later", "ago")
# What an age story may end with, by depth (4 and more).
_CLOSINGS: dict[int, tuple[str, ...]] = {
    1: _ALWAYS,
    2: (*_ALWAYS, "sum", "sum"),
    3: (*_ALWAYS, "sum", "sum", "gap"),
    4: (*_ALWAYS, "sum", "sum", "gap", "joint", "joint"),
}


def ages(s: Scene, depth: int) -> None:
    """A chain of people by age; then maybe later or earlier, a sum or a difference."""
    closing = s.pick(_CLOSINGS[min(depth, 4)])
    links = depth - {"none": 0, "joint": 3}.get(closing, 1)
    people = s.people(links + 1)
    years = [s.between(6, 15)]
    first = people[0]
    s.say(
        f"{first} is {years[0]} years old.",
        f"{first} is {years[0]}.",
        f"This year {first} turned {years[0]}.",
    )
    for before, who in pairwise(people):
        phrase, equation, value = _older(s, years[-1], before)
        s.say(f"{who} is {phrase}.")
        s.step(
            f"{who} is {equation} = {value} years old.", f"That makes {who} {equation} = {value}."
        )
        years.append(value)
    _close_ages(s, people, years, closing)


def _close_ages(s: Scene, people: list[Person], years: list[int], closing: str) -> None:
    """Write the last steps of an age story and ask."""
    last, age = people[-1], years[-1]
    if closing == "none":
        s.say(f"How old is {last}?", f"What is {last}'s age?")
    elif closing == "later":
        k = s.between(2, 15)
        s.say(
            f"How old will {last} be in {k} years?",
            f"What will {last}'s age be {k} years from now?",
        )
        s.step(f"In {k} years, {last} will be {age} + {k} = {age + k}.")
    elif closing == "ago":
        k = s.between(1, min(age - 1, 6))
        s.say(f"How old was {last} {YEAR.of(k)} ago?")
        s.step(f"{YEAR.of(k)} ago, {last} was {age} - {k} = {YEAR.of(age - k)} old.")
    elif closing == "sum":
        s.say("What is the sum of their ages?", "How old are they altogether?")
        s.step(f"Their ages add up to {' + '.join(map(str, years))} = {sum(years)}.")
    elif closing == "gap":
        low, high = sorted((0, len(years) - 1), key=lambda i: years[i])
        gap = years[high] - years[low]
        if gap == 0:
            low, gap = high, years[high]
            s.say("What is the sum of their ages?")
            s.step(f"Their ages add up to {' + '.join(map(str, years))} = {sum(years)}.")
            return
        s.say(f"How many years older is {people[high]} than {people[low]}?")
        line = f"{years[high]} - {years[low]} = {YEAR.of(gap)}"
        s.step(f"{people[high]} is {line} older than {people[low]}.")
    else:
        k, first = s.between(2, 10), people[0]
        one, two = years[0] + k, age + k
        s.say(f"What will the ages of {first} and {last} add up to in {k} years?")
        s.step(f"In {k} years, {first} will be {years[0]} + {k} = {one}.")
        s.step(f"{last} will be {age} + {k} = {two}.")
        s.step(f"Together that is {one} + {two} = {two + one} years.")


def _older(s: Scene, age: int, other: Person) -> tuple[str, str, int]:
    """Draw a relation to an age: its wording, its expression, the new age."""
    if age <= 40 and s.chance(0.3):
        k = 3 if age <= 20 and s.chance(0.3) else 2
        return f"{'twice' if k == 2 else 'three times'} as old as {other}", f"{k} * {age}", k * age
    if age % 2 == 0 and age > 12 and s.chance(0.3):
        return f"half as old as {other}", f"{age} / 2", age // 2
    k = s.between(2, 12)
    if age - k > 3 and (age > 50 or s.chance(0.5)):
        return f"{k} years younger than {other}", f"{age} - {k}", age - k
    return f"{k} years older than {other}", f"{age} + {k}", age + k


_TASKS: tuple[tuple[str, str, str, Noun], ...] = (
    ("peels", "peel", "peeled", Noun("potato", "potatoes")),
    ("folds", "fold", "folded", Noun("napkin", "napkins")),
    ("washes", "wash", "washed", Noun("window", "windows")),
    ("lays", "lay", "laid", Noun("brick", "bricks")),
    ("wraps", "wrap", "wrapped", Noun("gift", "gifts")),
    ("labels", "label", "labeled", Noun("jar", "jars")),
    ("plants", "plant", "planted", Noun("bulb", "bulbs")),
    ("types", "type", "typed", Noun("page", "pages")),
    ("packs", "pack", "packed", Noun("parcel", "parcels")),
)


def work(s: Scene, depth: int) -> None:
    """Rates of work: alone, together, one after the other, and what it pays."""
    if depth in (2, 3) and s.chance(0.35):
        _worker_days(s, depth)
        return
    a, b = s.people(2)
    does, do, done, noun = s.pick(_TASKS)
    r1, r2 = s.between(3, 15), s.between(3, 15)
    if depth == 1:
        time = s.between(2, 9)
        s.say(f"{a} {does} {r1} {noun} per hour.", f"{a} {does} {r1} {noun} every hour.")
        s.say(f"How many hours does {a} need for {r1 * time} {noun}?")
        s.step(
            f"{a} needs {r1 * time} / {r1} = {HOUR.of(time)}.",
            f"It takes {r1 * time} / {r1} = {HOUR.of(time)}.",
        )
        return
    s.say(
        f"{a} {does} {r1} {noun} per hour and {b} {does} {r2} per hour.",
        f"In an hour, {a} {does} {r1} {noun} and {b} {does} {r2}.",
    )
    time = s.between(2, 6)
    if depth == 2:
        total = (r1 + r2) * time
        s.say(f"How many hours do they need together for {total} {noun}?")
        s.step(f"Together they {do} {r1} + {r2} = {r1 + r2} {noun} per hour.")
        s.step(
            f"For {total} {noun} they need {total} / {r1 + r2} = {HOUR.of(time)}.",
            f"They need {total} / {r1 + r2} = {HOUR.of(time)}.",
        )
        return
    alone, together = s.between(2, 5), depth > 3
    first = r1 * alone
    rate = r1 + r2 if together else r2
    total = first + rate * time
    s.say(f"{total} {noun} must be {done}.", f"There are {total} {noun} to {do}.")
    entry = "joins in" if together else "does the rest alone"
    s.say(f"{a} works alone for {HOUR.of(alone)}, then {b} {entry}.")
    s.step(
        f"{a} {does} {r1} * {alone} = {first} {noun} alone.",
        f"Alone, {a} {does} {r1} * {alone} = {first} {noun}.",
    )
    s.step(
        f"That leaves {total} - {first} = {rate * time} {noun}.",
        f"Then {total} - {first} = {rate * time} {noun} are left.",
    )
    if together:
        s.step(f"Together they {do} {r1} + {r2} = {rate} {noun} per hour.")
    line = f"{rate * time} / {rate} = {HOUR.of(time)}"
    need = "they need" if together else f"{b} needs"
    s.step(f"The rest takes {line}.", f"For the rest, {need} {line}.")
    if depth < 5:
        s.say(
            "How many hours does the rest take?",
            "How many hours do they work together?"
            if together
            else f"How many hours does {b} work?",
        )
        return
    hours = alone + time
    s.step(
        f"{a} works {alone} + {time} = {hours} hours.",
        f"In all, {a} works for {alone} + {time} = {hours} hours.",
    )
    if depth == 5:
        s.say(f"How many hours does {a} work in all?")
        return
    wage = s.between(8, 20)
    s.say(f"{a} is paid {usd(wage)} per hour.")
    s.say(f"How many dollars does {a} earn?")
    s.step(f"{a} earns {hours} * {usd(wage)} = {usd(hours * wage)}.")


def _worker_days(s: Scene, depth: int) -> None:
    """More workers need fewer days: two steps, three for the days saved."""
    job = s.pick(
        ("build a wall", "paint a school", "harvest a field", "repair a road", "dig a canal")
    )
    while True:
        workers, days = s.between(2, 8), s.between(4, 15)
        fits = [n for n in divisors(workers * days, workers + 1, 20) if workers * days // n > 1]
        if fits:
            break
    crew = s.pick(fits)
    after = workers * days // crew
    s.say(
        f"{workers} workers can {job} in {days} days.",
        f"It takes {workers} workers {days} days to {job}.",
    )
    s.step(f"The job is {workers} * {days} = {workers * days} days of work for one worker.")
    s.step(f"{crew} workers need {workers * days} / {crew} = {after} days.")
    if depth == 2:
        s.say(
            f"How many days do {crew} workers need?", f"How many days would it take {crew} workers?"
        )
        return
    s.say(f"How many days sooner are {crew} workers done?")
    s.step(f"They are done {days} - {after} = {DAY.of(days - after)} sooner.")
