"""Shares by task as the tokenizer sees them, without a model."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from dualtune.errors import BadInput
from dualtune.lm.encode import Encoder
from dualtune.lm.mixing import with_mix
from dualtune.lm.preflight import check_labels
from dualtune.lm.steps import Dropped, Layout, Preparer, Steps
from dualtune.recipe import Ir, Irsp, Mix, Tasks, Weights
from dualtune.records import TASK_NAMES
from dualtune.sources.synthetic import generate
from tests.tiny import tiny_tokenizer

PROBLEMS = list(generate("train", count=150, seed=3))


def preparer(max_length: int = 1024, **tasks: Any) -> Preparer:
    settings = {"irsp": Irsp(per_problem=3), "ir": Ir(per_problem=3), **tasks}
    return Preparer(
        encoder=Encoder(tiny_tokenizer()),
        tasks=Tasks(**settings),
        seed=0,
        system=None,
        max_length=max_length,
        layout=Layout(tokens_per_pack=4096),
    )


def amounts(made: Preparer, epoch: int) -> tuple[Counter[str], Counter[str], Dropped]:
    """Return instances and label tokens by task, and what was left out."""
    instances: Counter[str] = Counter()
    tokens: Counter[str] = Counter()
    dropped: Dropped = Counter()
    for problem in PROBLEMS:
        for group in made.groups(problem, epoch, dropped):
            for instance, labelled in group:
                instances[instance.task] += 1
                tokens[instance.task] += len(labelled.ids) - labelled.label_start
    return instances, tokens, dropped


def test_without_shares_nothing_changes() -> None:
    made = preparer()
    assert with_mix(made, PROBLEMS) is made


@pytest.mark.parametrize("by", ["instances", "label_tokens"])
def test_shares_are_reached_in_each_epoch(by: str) -> None:
    shares = {"solve": 0.5, "irsp": 0.3, "ir": 0.2}
    made = with_mix(preparer(mix=Mix(by=by, **shares)), PROBLEMS)
    whole = amounts(replace(made, rates=None), 0)[0]
    for epoch in (0, 1):
        instances, tokens, dropped = amounts(made, epoch)
        found = instances if by == "instances" else tokens
        for task, share in shares.items():
            assert found[task] / found.total() == pytest.approx(share, abs=0.05)
            if epoch == 0:
                assert instances[task] + dropped[task, "mix"] == whole[task]
    assert 1.0 in made.rates.values() if made.rates else False


def test_what_is_kept_depends_on_nothing_but_the_instance() -> None:
    made = with_mix(preparer(mix=Mix(solve=0.2, irsp=0.4, ir=0.4)), PROBLEMS)

    def kept(problems: list[Any], epoch: int) -> set[str]:
        groups = [g for p in problems for g in made.groups(p, epoch, Counter())]
        return {instance.id for group in groups for instance, _ in group}

    whole = kept(PROBLEMS[:30], 0)
    assert whole == kept(PROBLEMS[29::-1], 0)
    assert whole == kept(PROBLEMS[:15], 0) | kept(PROBLEMS[15:30], 0)


def test_the_steps_hold_what_is_kept_and_count_the_rest() -> None:
    made = with_mix(preparer(mix=Mix(solve=0.2, irsp=0.4, ir=0.4)), PROBLEMS)
    steps = Steps(PROBLEMS[:40], made, per_step=8, epochs=1)
    whole = Steps(PROBLEMS[:40], replace(made, rates=None), per_step=8, epochs=1)
    held = sum((Counter(steps[i].instances) for i in range(len(steps))), Counter())
    left = sum((Counter(steps[i].dropped) for i in range(len(steps))), Counter())
    every = sum((Counter(whole[i].instances) for i in range(len(whole))), Counter())
    for task in TASK_NAMES:
        assert held[task] + left[f"mix.{task}"] == every[task]


def test_the_preflight_tells_what_the_mix_leaves_out(caplog: pytest.LogCaptureFixture) -> None:
    made = with_mix(preparer(mix=Mix(solve=0.7, irsp=0.3, ir=0)), PROBLEMS)
    with caplog.at_level(logging.INFO):
        found = check_labels(made, PROBLEMS, max_dropped=0.1).phases[0]
    assert not found["ir"].lengths
    assert found["ir"].dropped["mix"] > 400
    assert f"{found['ir'].dropped['mix']} mix" in caplog.text
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]


@pytest.mark.parametrize(
    "tasks",
    [
        {"irsp": Irsp(per_problem=0)},
        {"weights": Weights(irsp=0)},
    ],
)
def test_a_share_of_nothing_is_an_error(tasks: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match=r"tasks\.mix\.irsp is 0\.4, but there is no irsp instance"):
        with_mix(preparer(mix=Mix(solve=0.2, irsp=0.4, ir=0.4), **tasks), PROBLEMS[:20])
