from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import pytest

from dualtune.recipe import Irsp
from dualtune.records import Instance, Message, Problem
from dualtune.tasks.derive import masked_text, unmask_instance
from dualtune.tasks.instances import Pass
from dualtune.tasks.irsp import irsp_instances, markers_of_negative, masked_steps
from dualtune.tasks.masking import OPENING
from dualtune.tasks.solve import solve_instance
from dualtune.tasks.targets import NO_STEP, split_target, target_parts

STEPS = "one = 1\ntwo = 2\nthree = 3\nfour = 4"
PROBLEM = Problem("p", "What?", STEPS, "4")


def derive(problem: Problem, **settings: object) -> tuple[list[Instance], Counter[str]]:
    return irsp_instances(problem, Irsp(**settings), Pass(seed=0))


def targets(problem: Problem, **settings: object) -> list[str]:
    return [i.target for i in derive(problem, **settings)[0]]


def test_random_steps_are_distinct() -> None:
    made, skipped = derive(PROBLEM, per_problem=3)
    assert len({i.target for i in made}) == 3
    assert {i.target for i in made} < set(STEPS.split("\n"))
    assert not skipped
    assert [i.id for i in made] == ["p/irsp/0/0", "p/irsp/0/1", "p/irsp/0/2"]
    for instance in made:
        assert instance.source_id == "p"
        assert instance.masked[0].where == "rationale"
        assert instance.target not in instance.prompt[-1].content
        assert instance.prompt[-1].content.startswith("What?\n\n")


def test_fewer_steps_give_fewer_instances_and_are_counted() -> None:
    made, skipped = derive(PROBLEM, per_problem=7)
    assert sorted(i.target for i in made) == sorted(STEPS.split("\n"))
    assert skipped == {"irsp.fewer_choices": 3}


def test_several_masks_are_answered_one_a_line() -> None:
    made, skipped = derive(PROBLEM, per_problem=50, masks=2)
    assert len({i.target for i in made}) == 6
    assert skipped == {"irsp.fewer_choices": 44}
    for instance in made:
        first, second = instance.target.split("\n")
        assert STEPS.index(first) < STEPS.index(second)
        assert [m.marker for m in instance.masked] == ["<MASK_1>", "<MASK_2>"]


def test_one_step_stays_visible() -> None:
    assert {len(t.split("\n")) for t in targets(PROBLEM, per_problem=9, masks=9)} == {3}


def test_each_gives_every_step_once() -> None:
    assert targets(PROBLEM, per_problem=1, policy="each") == STEPS.split("\n")


def test_one_step_is_skipped_and_counted() -> None:
    assert derive(replace(PROBLEM, rationale="one = 1")) == ([], {"irsp.one_step": 1})
    assert derive(replace(PROBLEM, rationale="")) == ([], {"irsp.one_step": 1})


def test_a_text_with_a_marker_is_skipped_and_counted() -> None:
    for field in ("question", "rationale"):
        problem = replace(PROBLEM, **{field: "a <MASK_1>\nb"})
        assert derive(problem) == ([], {"irsp.marker_in_text": 1})


def test_the_final_answer_is_not_shown(clips: Problem) -> None:
    for instance in derive(clips, policy="each")[0]:
        assert "The answer is" not in instance.prompt[-1].content


def test_last_masks_the_last_steps() -> None:
    assert targets(PROBLEM, policy="last") == ["four = 4"]
    made, skipped = derive(PROBLEM, policy="last", masks=2, per_problem=3)
    assert [i.target for i in made] == ["three = 3\nfour = 4"]
    assert skipped == {"irsp.fewer_choices": 2}
    assert "one = 1\ntwo = 2\n<MASK_1>\n<MASK_2>\n\n" in made[0].prompt[-1].content


def test_contiguous_masks_neighbours_each_with_its_marker() -> None:
    made, skipped = derive(PROBLEM, policy="contiguous", masks=2, per_problem=9)
    lines = STEPS.split("\n")
    assert sorted(i.target for i in made) == sorted(
        "\n".join(lines[a : a + 2]) for a in range(len(lines) - 1)
    )
    assert skipped == {"irsp.fewer_choices": 6}
    assert all([m.marker for m in i.masked] == ["<MASK_1>", "<MASK_2>"] for i in made)


@pytest.mark.parametrize(
    ("ratio", "steps", "expected"),
    [(0.5, 4, 2), (0.5, 5, 3), (0.1, 4, 1), (0.99, 4, 3), (0.3, 2, 1), (0.34, 30, 10)],
)
def test_a_ratio_masks_a_share_of_the_steps(ratio: float, steps: int, expected: int) -> None:
    """At least one is masked and at least one stays visible."""
    assert masked_steps(Irsp(ratio=ratio, masks=7), steps) == expected
    problem = replace(PROBLEM, rationale="\n".join(f"step {i} = {i}" for i in range(steps)))
    for policy in ("random", "last", "contiguous"):
        for made in derive(problem, ratio=ratio, policy=policy)[0]:
            assert len(made.masked) == expected
    assert masked_steps(Irsp(ratio=ratio, policy="each"), steps) == 1


def test_negatives_hide_nothing_and_say_so() -> None:
    made, skipped = derive(PROBLEM, negatives=2)
    real, *negatives = made
    assert not skipped
    assert real.target in STEPS.split("\n")
    assert [i.id for i in made] == ["p/irsp/0/0", "p/irsp/0/1", "p/irsp/0/2"]
    assert len({i.prompt for i in negatives}) == 2
    for instance in negatives:
        assert instance.target == NO_STEP
        (part,) = instance.masked
        assert (part.text, part.start) == ("", part.end)
        assert unmask_instance(instance, PROBLEM) == STEPS
        assert set(STEPS.split("\n")) < set(instance.prompt[-1].content.split("\n"))


def test_nothing_but_the_steps_tells_a_negative_from_the_others() -> None:
    """Same request, and markers where they would stand with as many more steps."""
    longer = replace(PROBLEM, rationale=f"zero = 0\n{STEPS}")
    for settings in (
        {"policy": "random"},
        {"policy": "random", "masks": 2},
        {"policy": "contiguous", "masks": 2},
        {"policy": "last", "masks": 2},
        {"policy": "each"},
    ):
        size = settings.get("masks", 1)
        full = longer if size == 1 else replace(longer, rationale=f"minus = 1\n{longer.rationale}")
        real = derive(full, per_problem=99, negatives=1, **settings)[0]
        negatives = derive(PROBLEM, negatives=99, **settings)[0]
        shapes = [
            {_shape(i) for i in group if (i.target.startswith(NO_STEP)) == negative}
            for group, negative in ((real, False), (negatives, True))
        ]
        assert shapes[0] == shapes[1], settings


@pytest.mark.parametrize("settings", [{"masks": 3}, {"ratio": 0.5}, {"ratio": 0.3}, {"ratio": 0.7}])
def test_a_negative_has_as_many_markers_as_others_beside_so_many_steps(
    settings: dict[str, float],
) -> None:
    recipe = Irsp(**settings)
    others = {(n - masked_steps(recipe, n), masked_steps(recipe, n)) for n in range(2, 200)}
    for steps in range(2, 20):
        assert (steps, markers_of_negative(recipe, steps)) in others


def test_negatives_of_a_large_ratio_would_be_all_markers() -> None:
    made, skipped = derive(PROBLEM, ratio=0.9, negatives=1)
    assert len(made) == 1
    assert skipped == {"irsp.fewer_negatives": 1}


def _shape(instance: Instance) -> str:
    shown = instance.prompt[-1].content.partition("Solution:\n")[2]
    return re.sub(r"(?m)^\w+ = \d$", "step", shown)


def test_asking_for_negatives_changes_the_request_and_no_mask() -> None:
    without = derive(PROBLEM, per_problem=3, masks=2)[0]
    beside = derive(PROBLEM, per_problem=3, masks=2, negatives=1)[0]
    assert [i.masked for i in without] == [i.masked for i in beside[:3]]
    assert [i.target for i in without] == [i.target for i in beside[:3]]
    assert all(NO_STEP not in i.prompt[-1].content for i in without)
    assert all(i.prompt[-1].content.endswith(f'write "{NO_STEP}"') for i in beside)


def test_more_negatives_than_places_are_counted() -> None:
    made, skipped = derive(PROBLEM, negatives=9)
    assert len(made) == 1 + 5
    assert skipped == {"irsp.fewer_negatives": 4}
    assert derive(PROBLEM, policy="last", negatives=2)[1] == {"irsp.fewer_negatives": 1}


def test_steps_of_several_lines_are_labelled() -> None:
    problem = replace(PROBLEM, rationale="So\n$$\nx = 1\n$$\nand\ny = 2")
    made = derive(problem, masks=2, per_problem=9)[0]
    labelled = [i for i in made if "each below a line with its marker" in i.prompt[-1].content]
    assert labelled
    assert len(labelled) < len(made)
    for instance in made:
        assert instance.target.startswith("<MASK_1>\n") == (instance in labelled)
        assert split_target(instance.target, instance.masked) == target_parts(instance.masked)


def test_labels_do_not_tell_a_negative() -> None:
    problem = replace(PROBLEM, rationale="So\n$$\nx = 1\n$$\nand\ny = 2")
    for epoch in range(20):
        made, _ = irsp_instances(problem, Irsp(masks=2, negatives=2), Pass(seed=0, epoch=epoch))
        assert len({"each below a line" in i.prompt[-1].content for i in made}) == 1


def test_a_conversation_opens_as_solve_and_breaks_off_at_the_gap() -> None:
    solve = solve_instance(PROBLEM, Pass(seed=0))
    first, second, *_ = derive(PROBLEM, policy="each", form="conversation")[0]
    assert [turn.role for turn in second.prompt] == ["user", "assistant", "user"]
    asked, said, rest = second.prompt
    assert (asked,) == solve.prompt
    assert said.content == "one = 1\n"
    assert rest.content == (
        "The solution goes on:\n<MASK>\nthree = 3\nfour = 4\n\n"
        "Write the step of the solution that <MASK> stands for."
    )
    assert second.target == "two = 2"
    # Nothing stands before the first step: that instance is a plain one.
    assert first == derive(PROBLEM, policy="each")[0][0]


@pytest.mark.parametrize(
    "settings",
    [
        {"per_problem": 9},
        {"per_problem": 9, "masks": 2},
        {"per_problem": 9, "policy": "contiguous", "masks": 2, "negatives": 3},
        {"ratio": 0.6, "per_problem": 4, "negatives": 4},
        {"policy": "last", "negatives": 1},
    ],
)
def test_a_conversation_asks_for_the_same_as_the_plain_form(settings: dict[str, object]) -> None:
    plain = derive(PROBLEM, **settings)
    talk = derive(PROBLEM, form="conversation", **settings)
    assert talk[1] == plain[1]
    solve = solve_instance(PROBLEM, Pass(seed=0))
    turns = set()
    for one, other in zip(plain[0], talk[0], strict=True):
        assert replace(one, prompt=()) == replace(other, prompt=())
        assert masked_text(one, PROBLEM) == masked_text(other, PROBLEM)
        turns.add(len(other.prompt))
        if len(other.prompt) > 1:
            assert solve.target.startswith(other.prompt[1].content)
            assert OPENING not in other.prompt[1].content
    assert turns == ({3} if settings.get("policy") == "last" else {1, 3})
    assert len({other.prompt for other in talk[0]}) == len(talk[0])


def test_a_conversation_about_a_program_and_with_a_system_prompt() -> None:
    problem = Problem("p", "What?", PROGRAM, "", kind="pot")
    passed = Pass(seed=0, system="Be brief.")
    settings = Irsp(policy="each", form="conversation")
    first, *_, last = irsp_instances(problem, settings, passed)[0]
    assert first.prompt[0] == Message("system", "Be brief.")
    # The import is no step, and stands before the first one.
    assert first.prompt[-2].content == "import math\n\n"
    assert last.prompt[-2].content == PROGRAM.removesuffix("print(total)")
    assert last.prompt[-1].content.startswith("The program goes on:\n<MASK>\n\nWrite the step")
    assert unmask_instance(last, problem) == PROGRAM


PROGRAM = """import math

# the price of one
price = 12 / 4
total = 0
for n in range(7):
    total += price
print(total)"""


def test_the_steps_of_a_program_are_its_statements() -> None:
    problem = Problem("p", "What?", PROGRAM, "", kind="pot")
    made = derive(problem, policy="each", negatives=6)[0]
    assert [i.target for i in made[:4]] == [
        "# the price of one\nprice = 12 / 4",
        "total = 0",
        "for n in range(7):\n    total += price",
        "print(total)",
    ]
    assert "\n    total" not in made[2].prompt[-1].content
    for instance in made:
        assert instance.prompt[-1].content.startswith("What?\n\nProgram:\nimport math\n")
        assert re.search(r"(?m)^<MASK>$", instance.prompt[-1].content)
        assert unmask_instance(instance, problem) == PROGRAM


def test_a_program_that_does_not_parse_is_skipped_and_counted() -> None:
    problem = Problem("p", "What?", "x = = 1\nprint(x)", "", kind="pot")
    assert derive(problem) == ([], {"irsp.program_does_not_parse": 1})
