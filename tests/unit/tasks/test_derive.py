from __future__ import annotations

import subprocess
import sys
from collections import Counter
from dataclasses import replace

import pytest

from dualtune.recipe import Ir, Irsp, Tasks
from dualtune.records import Instance, Problem
from dualtune.sources.synthetic import generate
from dualtune.tasks.derive import derive, masked_text, unmask_instance
from dualtune.tasks.masking import OPENING

SETTINGS = {
    "default": Tasks(),
    "three": Tasks(irsp=Irsp(per_problem=3), ir=Ir(per_problem=3)),
    "several masks": Tasks(
        irsp=Irsp(per_problem=2, masks=2), ir=Ir(per_problem=2, masks=3, answerable_only=False)
    ),
    "each, whole question": Tasks(
        irsp=Irsp(policy="each"), ir=Ir(policy="numbers", target="question")
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
def test_fresh_masks_differ_by_epoch(gsm8k: list[Problem], fresh: bool) -> None:
    tasks = Tasks(fresh_masks=fresh)

    def masks(epoch: int) -> list[tuple[str, str]]:
        return [
            (i.source_id, i.target)
            for p in gsm8k[:100]
            for i in derive(p, tasks, seed=0, epoch=epoch).instances
            if i.task != "solve"
        ]

    same = sum(a == b for a, b in zip(masks(0), masks(1), strict=True))
    assert same == len(masks(0)) if not fresh else same < 0.5 * len(masks(0))


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
            key = (instance.task, tuple((m.start, m.end) for m in instance.masked))
            assert key not in seen
            seen.add(key)
    return counts


@pytest.mark.parametrize("name", SETTINGS)
def test_unmasking_gives_back_every_text_of_gsm8k(gsm8k: list[Problem], name: str) -> None:
    counts = unmask_all(gsm8k, SETTINGS[name])
    assert counts["solve"] == len(gsm8k)
    assert counts["irsp"] >= 0.9 * len(gsm8k)
    assert counts["ir"] >= 0.99 * len(gsm8k)


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
    lines = "\n".join(m.text for m in instance.masked)
    assert instance.target in (lines, problem.question)
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
