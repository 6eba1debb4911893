"""Stories about mixtures: amounts, ratios, contents, the price of a blend."""

from __future__ import annotations

from decimal import Decimal

from dualtune.sources.synthetic.lexicon import CUP, HALF, LITER, Value, num, usd
from dualtune.sources.synthetic.scene import Scene

_BLENDS: tuple[tuple[str, str, str], ...] = (
    ("orange juice", "soda", "punch"),
    ("lemon juice", "water", "lemonade"),
    ("red paint", "white paint", "pink paint"),
    ("blue paint", "yellow paint", "green paint"),
    ("apple juice", "mango juice", "fruit drink"),
    ("milk", "cream", "ice cream base"),
    ("grape juice", "sparkling water", "party drink"),
)
_BOTTLES: tuple[Value, ...] = (HALF, 2, 3, 4)
_RATIOS = (
    *((1, 2), (1, 3), (1, 4), (2, 1), (3, 1), (4, 1), (2, 3), (3, 2), (2, 5), (5, 2)),
    *((3, 4), (4, 3), (3, 5), (5, 3), (4, 5), (1, 5), (2, 7), (5, 1)),
)
_DRY: tuple[tuple[str, str, str], ...] = (
    ("almonds", "raisins", "trail mix"),
    ("cashews", "peanuts", "nut mix"),
    ("black tea", "mint", "tea blend"),
    ("oats", "dried berries", "muesli"),
    ("Kenyan beans", "Brazilian beans", "coffee blend"),
)


def mixtures(s: Scene, depth: int) -> None:
    """Two things are mixed: amounts, ratios, shares of a part, price a kilogram."""
    kinds = {
        1: (_poured, _content),
        2: (_poured, _content, _by_the_cup),
        3: (_poured, _ratio, _priced, _two_contents),
        4: (_priced, _ratio),
        5: (_priced, _two_contents),
        6: (_priced,),
    }[depth]
    s.pick(kinds)(s, depth)


def _poured(s: Scene, depth: int) -> None:
    """Two amounts together, some of it used, the rest into bottles."""
    who, (a, b, mix) = s.person(), s.pick(_BLENDS)
    size = s.pick(_BOTTLES) if depth > 1 else HALF
    bottles = s.between(6, 12) if depth > 1 else s.between(8, 50)
    use = s.between(1, 6) if depth == 3 else 0
    total = size * bottles + use
    part = s.between(1, int(total) - 1)
    rest = total - part
    s.say(
        f"{who} mixes {LITER.of(part)} of {a} with {LITER.of(rest)} of {b} to make {mix}.",
        f"For {mix}, {who} mixes {LITER.of(part)} of {a} and {LITER.of(rest)} of {b}.",
    )
    s.step(
        f"{who} makes {num(part)} + {num(rest)} = {LITER.of(total)} of {mix}.",
        f"The mix is {num(part)} + {num(rest)} = {LITER.of(total)}.",
    )
    if depth == 1:
        s.say(f"How many liters of {mix} does {who} make?", f"How many liters of {mix} are there?")
        return
    if use:
        s.say(f"{LITER.of(use)} {'is' if use == 1 else 'are'} used at once.")
        s.step(f"After that, {num(total)} - {use} = {LITER.of(total - use)} are left.")
        total -= use
    s.say(f"{'The rest' if use else 'It'} is poured into bottles of {LITER.of(size)} each.")
    s.say("How many bottles are filled?", f"How many bottles does {who} fill?")
    s.step(
        f"{who} fills {num(total)} / {num(size)} = {bottles} bottles.",
        f"That is {num(total)} / {num(size)} = {bottles} bottles.",
    )


def _by_the_cup(s: Scene, depth: int) -> None:
    """Two steps: so much of one for each of the other, then both together."""
    del depth
    who, (a, b, mix) = s.person(), s.pick(_BLENDS)
    k, cups = s.between(2, 6), s.between(2, 9)
    s.say(
        f"For {mix}, {who} adds {CUP.of(k)} of {b} for every cup of {a}.",
        f"A recipe for {mix} takes {CUP.of(k)} of {b} for each cup of {a}.",
    )
    s.say(f"{who} uses {CUP.of(cups)} of {a}.", f"{who} pours in {CUP.of(cups)} of {a}.")
    s.say(f"How many cups of {mix} does that make?", f"How many cups of {mix} are there in all?")
    s.step(
        f"{who} needs {k} * {cups} = {k * cups} cups of {b}.",
        f"With it go {k} * {cups} = {k * cups} cups of {b}.",
    )
    s.step(f"Together that is {cups} + {k * cups} = {cups + k * cups} cups.")


def _ratio(s: Scene, depth: int) -> None:
    """Parts of a whole: three steps, and a fourth for what is added or the price."""
    who, (a, b, mix) = s.person(), s.pick(_BLENDS)
    p, q = s.pick(_RATIOS)
    unit = s.between(2, 6)
    total = (p + q) * unit
    s.say(
        f"{who} mixes {a} and {b} in the ratio {p} to {q} and gets {total} liters of {mix}.",
        f"To make {total} liters of {mix}, {who} mixes {a} and {b} in the ratio {p} to {q}.",
    )
    s.step(f"There are {p} + {q} = {p + q} parts.", f"The mix has {p} + {q} = {p + q} equal parts.")
    s.step(f"One part is {total} / {p + q} = {unit} liters.")
    s.step(
        f"The {a} is {p} * {unit} = {p * unit} liters.",
        f"{p} {'part is' if p == 1 else 'parts are'} {p} * {unit} = {p * unit} liters of {a}.",
    )
    if depth == 3:
        s.say(f"How many liters of {a} are in it?", f"How many liters of {a} does {who} use?")
        return
    if s.chance(0.5):
        cost = s.between(2, 6)
        s.say(f"A liter of {a} costs {usd(cost)}.")
        s.say(f"How many dollars does the {a} cost?")
        s.step(f"It costs {p * unit} * {usd(cost)} = {usd(p * unit * cost)}.")
        return
    more = s.between(2, 9)
    s.say(f"Then {who.he} adds {more} more liters of {a}.")
    s.say(f"How many liters of {a} are in the mix now?")
    s.step(f"Now there are {p * unit} + {more} = {p * unit + more} liters of {a}.")


def _content(s: Scene, depth: int) -> None:
    """A percentage of a drink (one step), and the rest (two)."""
    who, (a, b, mix) = s.person(), s.pick(_BLENDS)
    p = s.pick((10, 20, 25, 40, 50, 60))
    total = s.between(1, 12) * (4 if p == 25 else 5)
    part = Decimal(total * p) / 100
    s.say(
        f"{who} has {total} liters of {mix}. {p}% of it is {a} and the rest is {b}.",
        f"{p}% of {who}'s {total} liters of {mix} is {a}, the rest is {b}.",
    )
    s.step(f"{p}% of {total} is {total} * {p} / 100 = {LITER.of(part)} of {a}.")
    if depth == 1:
        s.say(f"How many liters of {a} are in it?", f"How many liters of {a} does it hold?")
        return
    s.say(f"How many liters of {b} are in it?", f"How many liters of {b} does it hold?")
    s.step(f"The {b} is {total} - {num(part)} = {LITER.of(total - part)}.")


def _two_contents(s: Scene, depth: int) -> None:
    """Two drinks of different strength: the part (three steps), its percentage (five)."""
    who, (a, _, _) = s.person(), s.pick(_BLENDS[:2] + _BLENDS[4:5])
    while True:
        p = s.pick((10, 20, 40, 50, 60))
        one, two = s.between(1, 5) * 10, s.between(1, 5) * 10
        q = s.pick([n for n in (10, 20, 30, 50, 60, 80) if n != p])
        parts = (one * p // 100, two * q // 100) if one * p % 100 == 0 else (0, 0)
        if parts[0] and (sum(parts) * 100) % (one + two) == 0:
            break
    s.say(f"{who} mixes {one} liters of a drink that is {p}% {a} with {two} liters of {q}% {a}.")
    s.step(f"The first holds {one} * {p} / 100 = {LITER.of(parts[0])} of {a}.")
    s.step(f"The second holds {two} * {q} / 100 = {LITER.of(parts[1])} of {a}.")
    s.step(f"Together they hold {parts[0]} + {parts[1]} = {LITER.of(sum(parts))} of {a}.")
    if depth == 3:
        s.say(f"How many liters of {a} are in the mix?")
        return
    volume = one + two
    s.step(f"The mix is {one} + {two} = {volume} liters.")
    s.say(f"What percent of the mix is {a}?")
    s.step(f"The share is {sum(parts)} * 100 / {volume} = {sum(parts) * 100 // volume} percent.")


def _priced(s: Scene, depth: int) -> None:
    """Two goods at a price a kilogram: cost, profit (four), price of the mix (five), gain (six)."""
    who, (a, b, mix) = s.person(), s.pick(_DRY)
    while True:
        m, n = s.between(2, 8), s.between(2, 8)
        p, q = s.sample(range(3, 16), 2)
        total = m * p + n * q
        if depth < 5 or total % (m + n) == 0:
            break
    first, second = f"{m} kg of {a} at {usd(p)} per kg", f"{n} kg of {b} at {usd(q)} per kg"
    s.say(f"{who} mixes {first} with {second}.", f"For {mix}, {who} takes {first} and {second}.")
    s.step(f"The {a} cost {m} * {usd(p)} = {usd(m * p)}.")
    s.step(f"The {b} cost {n} * {usd(q)} = {usd(n * q)}.")
    s.step(
        f"The mix costs {usd(m * p)} + {usd(n * q)} = {usd(total)}.",
        f"Together that is {usd(m * p)} + {usd(n * q)} = {usd(total)}.",
    )
    if depth == 3:
        s.say(f"How many dollars does the {mix} cost?", f"What does the {mix} cost in all?")
        return
    if depth == 4:
        income = total + s.between(5, 40)
        s.say(f"{who.he} sells the {mix} for {usd(income)}.")
        s.say(f"How many dollars of profit does {who} make?")
        s.step(f"The profit is {usd(income)} - {usd(total)} = {usd(income - total)}.")
        return
    each = total // (m + n)
    s.step(f"It weighs {m} + {n} = {m + n} kg.")
    s.step(f"One kg of it costs {usd(total)} / {m + n} = {usd(each)}.")
    if depth == 5:
        s.say(f"How many dollars does one kg of the {mix} cost?")
        return
    price = each + s.between(2, 9)
    s.say(f"{who.he} sells the {mix} at {usd(price)} per kg.")
    s.say(f"How many dollars does {who} gain on each kg?")
    s.step(f"The gain on each kg is {usd(price)} - {usd(each)} = {usd(price - each)}.")
