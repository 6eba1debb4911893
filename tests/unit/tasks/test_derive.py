from __future__ import annotations

import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dualtune.recipe import Ir, Irsp, Source, Tasks
from dualtune.records import Instance, Problem
from dualtune.sources.readers import read
from dualtune.sources.synthetic import generate
from dualtune.tasks.derive import derive, masked_text, unmask_instance
from dualtune.tasks.masking import OPENING
from dualtune.tasks.targets import split_target, target_parts

SETTINGS = {
    "default": Tasks(),
    "three": Tasks(irsp=Irsp(per_problem=3), ir=Ir(per_problem=3)),
    "several masks": Tasks(
        irsp=Irsp(per_problem=2, masks=2), ir=Ir(per_problem=2, masks=3, answerable_only=False)
    ),
    "each, whole question": Tasks(
        irsp=Irsp(policy="each"), ir=Ir(policy="numbers", target="question")
    ),
    "last, quantities": Tasks(
        irsp=Irsp(policy="last", ratio=0.5, negatives=1), ir=Ir(policy="quantities", per_problem=2)
    ),
    "contiguous, phrases": Tasks(
        irsp=Irsp(policy="contiguous", masks=2, per_problem=2, negatives=2),
        ir=Ir(policy="phrases", masks=2, answerable_only=False),
    ),
    "ratio, clauses": Tasks(
        irsp=Irsp(ratio=0.4, per_problem=2, negatives=1),
        ir=Ir(policy="clauses", per_problem=2, answerable_only=False),
    ),
    "conversation": Tasks(irsp=Irsp(per_problem=3, form="conversation", negatives=1)),
    "conversation, several": Tasks(
        irsp=Irsp(policy="contiguous", masks=2, per_problem=2, form="conversation", negatives=2),
        ir=Ir(policy="numbers"),
    ),
}


GOLDEN = [
    "Natalia sold 48/2 = 24 clips in May.",
    "Natalia sold 48+24 = 72 clips altogether in April and May.",
    "48\nhalf as many clips\nHow many clips did Natalia sell altogether in April and May",
    "48\nhalf\nHow many clips did Natalia sell altogether in April and May",
]


def test_the_order_is_solve_irsp_ir(clips: Problem) -> None:
    derived = derive(clips, SETTINGS["three"], seed=0)
    assert [i.task for i in derived.instances] == ["solve", *["irsp"] * 2, *["ir"] * 3]
    assert derived.skipped == (("irsp.fewer_choices", 1),)
    assert len({i.id for i in derived.instances}) == 6
    assert derived.instances[0].id == "clips/solve/0/0"
    assert derived.instances[0].target == f"{clips.rationale}\nThe answer is 72."


def test_the_masks_of_a_seed_never_change(clips: Problem) -> None:
    """Runs are repeated by their seed: a change of these is a change for users to be told of."""
    derived = derive(clips, SETTINGS["several masks"], seed=7)
    assert [i.target for i in derived.instances[1:]] == GOLDEN


def test_tasks_can_be_off(clips: Problem) -> None:
    off = Tasks(solve=False, irsp=Irsp(per_problem=0), ir=Ir(per_problem=1))
    assert [i.task for i in derive(clips, off, seed=0).instances] == ["ir"]


def test_the_system_prompt_stands_in_every_instance(clips: Problem) -> None:
    for instance in derive(clips, SETTINGS["three"], seed=0, system="Be brief.").instances:
        assert [m.role for m in instance.prompt] == ["system", "user"]
        assert instance.prompt[0].content == "Be brief."


def test_prompts_share_their_openings(clips: Problem) -> None:
    by_task: dict[str, list[str]] = {"solve": [], "irsp": [], "ir": []}
    for instance in derive(clips, SETTINGS["three"], seed=0).instances:
        by_task[instance.task].append(instance.prompt[-1].content)
    for content in by_task["solve"] + by_task["irsp"]:
        assert content.startswith(f"{clips.question}\n\n")
    assert len({c[: c.index(clips.rationale) + len(clips.rationale)] for c in by_task["ir"]}) == 1


def test_it_is_a_pure_function_of_problem_settings_seed_and_epoch(gsm8k: list[Problem]) -> None:
    problems = gsm8k[:60]
    tasks = SETTINGS["three"]
    forward = {p.id: derive(p, tasks, seed=3, epoch=1) for p in problems}
    backward = {p.id: derive(p, tasks, seed=3, epoch=1) for p in reversed(problems)}
    assert forward == backward
    assert {p.id: derive(p, tasks, seed=4, epoch=1) for p in problems} != forward
    moved = replace(problems[0], id="other")
    assert [i.seed for i in derive(moved, tasks, seed=3).instances] != [
        i.seed for i in derive(problems[0], tasks, seed=3).instances
    ]


def test_the_masks_of_one_task_do_not_depend_on_another(clips: Problem) -> None:
    alone = derive(clips, Tasks(solve=False, irsp=Irsp(per_problem=0)), seed=0).instances
    beside = derive(clips, Tasks(), seed=0).instances
    assert alone[0] == beside[-1]


@pytest.mark.parametrize("fresh", [True, False])
@pytest.mark.parametrize(
    "tasks",
    [
        Tasks(),
        Tasks(irsp=Irsp(policy="contiguous"), ir=Ir(policy="numbers")),
        Tasks(irsp=Irsp(ratio=0.5, negatives=1), ir=Ir(policy="clauses", answerable_only=False)),
        Tasks(irsp=Irsp(policy="last", negatives=1), ir=Ir(policy="quantities")),
        Tasks(ir=Ir(policy="phrases", answerable_only=False)),
    ],
)
def test_fresh_masks_differ_by_epoch(gsm8k: list[Problem], tasks: Tasks, fresh: bool) -> None:
    tasks = tasks.model_copy(update={"fresh_masks": fresh})

    def masks(epoch: int) -> dict[str, tuple[tuple[int, int], ...]]:
        return {
            i.id.replace(f"/{epoch}/", "//"): tuple((m.start, m.end) for m in i.masked)
            for p in gsm8k[:100]
            for i in derive(p, tasks, seed=0, epoch=epoch).instances
            if i.masked
        }

    first, second = masks(0), masks(1)
    assert first.keys() == second.keys()
    fixed = [k for k in first if tasks.irsp.policy == "last" and "/irsp//" in k]
    free = first.keys() - fixed
    same = sum(first[k] == second[k] for k in free)
    assert same == len(free) if not fresh else same < 0.6 * len(free)
    assert all(first[k] == second[k] for k in fixed)  # there is one choice


def unmask_all(problems: list[Problem], tasks: Tasks) -> Counter[str]:
    """Check every instance of every Problem, and count them by task."""
    counts: Counter[str] = Counter()
    for problem in problems:
        derived = derive(problem, tasks, seed=0, epoch=0)
        counts.update(i.task for i in derived.instances)
        seen = set()
        for instance in derived.instances:
            if instance.task == "solve":
                continue
            check(instance, problem)
            key = (instance.task, instance.prompt, tuple((m.start, m.end) for m in instance.masked))
            assert key not in seen
            seen.add(key)
    return counts


@pytest.mark.parametrize("name", SETTINGS)
def test_unmasking_gives_back_every_text_of_gsm8k(gsm8k: list[Problem], name: str) -> None:
    # Together they see every Problem; one setting alone would say little more with all of them.
    problems = gsm8k[list(SETTINGS).index(name) :: len(SETTINGS)]
    counts = unmask_all(problems, SETTINGS[name])
    assert counts["solve"] == len(problems)
    assert counts["irsp"] >= 0.9 * len(problems)
    assert counts["ir"] >= 0.9 * len(problems)


@pytest.mark.parametrize(
    "file",
    [
        "aqua_flan.tsv",
        "mawps_asdiv_cot.json",
        "math.jsonl",
        "problemathic/complex_adversarial_train.json",
        "problemathic/complex_non_adversarial_train.json",
        "problemathic/simple_adversarial_train.json",
        "problemathic/simple_non_adversarial_train.json",
    ],
)
def test_unmasking_gives_back_the_texts_of_other_data(shared_data: Path, file: str) -> None:
    source = Source(path=str(shared_data / "train" / file))
    problems = [p for p in read(source) if isinstance(p, Problem)]
    for number, tasks in enumerate(SETTINGS.values()):
        some = problems[number :: 5 * len(SETTINGS)]
        counts = unmask_all(some, tasks)
        assert counts["solve"] == len(some) > 10
        assert counts["irsp"] >= 0.5 * len(some)
        assert counts["ir"] >= 0.2 * len(some)


@pytest.mark.parametrize("name", SETTINGS)
def test_unmasking_gives_back_every_text_of_the_packaged_sample(name: str) -> None:
    problems = [p for p in read(Source(path="builtin:sample")) if isinstance(p, Problem)]
    counts = unmask_all(problems, SETTINGS[name])
    assert counts["solve"] == len(problems)


PIECE = st.sampled_from(
    [
        "Tom has 3 apples", "costs $12.50", "and 2 thirds", "half as many", "\\frac{1}{2}", "$$",
        "x = 1", "if", "when", ". ", ", ", "? ", "\n", "\n\n", "1.", "Step 2:", "\\[", "\\]", "<",
        "MASK_1>", "15%", " ", "she sold many red clips", "é", "\u00a0", "\t", "(A) 3", "\u2028",
    ]
)  # fmt: skip
TEXT = st.lists(PIECE, max_size=14).map("".join) | st.text(max_size=60)


@settings(max_examples=60)
@given(TEXT, TEXT, st.sampled_from(sorted(SETTINGS)), st.integers(0, 3))
def test_unmasking_gives_back_any_text(
    question: str, rationale: str, name: str, epoch: int
) -> None:
    problem = Problem("p", question, rationale, "1")
    for instance in derive(problem, SETTINGS[name], seed=0, epoch=epoch).instances:
        if instance.masked:
            check(instance, problem)


STATEMENT = st.sampled_from(
    [
        "import math", "x = 48", "y = x / 2  # half", "# a comment", "",
        "for i in range(3):\n    x += i",
        'def f(a):\n    """Doc."""\n\n    return a', "z = 1; w = 2", '"""A string."""', "print(x)",
        "s = 'é'  ", "if x:\n  y = 1\nelse:\n  y = 2",
    ]
)  # fmt: skip


@settings(max_examples=60)
@given(st.lists(STATEMENT, max_size=8), st.sampled_from(sorted(SETTINGS)))
def test_unmasking_gives_back_any_program(statements: list[str], name: str) -> None:
    problem = Problem("p", "Tom has 48 pears and eats 3.", "\n".join(statements), "", kind="pot")
    derived = derive(problem, SETTINGS[name], seed=0)
    assert derived.instances[0].target == problem.rationale
    for instance in derived.instances[1:]:
        check(instance, problem)


@pytest.mark.parametrize("split", ["train", "ood_types", "ood_depth"])
def test_unmasking_gives_back_every_synthetic_text(split: str) -> None:
    problems = list(generate(split, count=500))
    counts = unmask_all(problems, SETTINGS["three"])
    assert counts["solve"] == len(problems)
    assert counts["ir"] >= 2.5 * len(problems)


def check(instance: Instance, problem: Problem) -> None:
    original = problem.rationale if instance.task == "irsp" else problem.question
    assert unmask_instance(instance, problem) == original
    assert OPENING in masked_text(instance, problem)
    if instance.target != problem.question:
        assert split_target(instance.target, instance.masked) == target_parts(instance.masked)
    for part in instance.masked:
        assert part.text == original[part.start : part.end]


def test_unmasking_refuses_what_does_not_belong(clips: Problem) -> None:
    solve, irsp, ir = derive(clips, Tasks(), seed=0).instances
    with pytest.raises(ValueError, match="nothing is masked"):
        unmask_instance(solve, clips)
    for instance in (irsp, ir):
        with pytest.raises(ValueError, match="not derived from"):
            unmask_instance(instance, replace(clips, question="x", rationale="y"))


def test_deriving_needs_no_torch() -> None:
    code = (
        "import sys, dualtune.tasks.derive; "
        "sys.exit(bool({'torch', 'transformers'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
