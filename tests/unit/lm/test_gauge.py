"""Speed against the machine, and the time that is left."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dualtune.lm import plan
from dualtune.lm.facts import Facts
from dualtune.lm.gauge import Gauge
from dualtune.lm.hardware import measured_peak
from dualtune.lm.trainlog import TrainLog
from tests.unit.lm.tiny import CONFIGS

STEP = Facts(
    weight=1.0,
    packs=1,
    tokens_total=10,
    tokens_distinct=10,
    predictions=4,
    pairs=55,
)


def test_an_epoch_with_more_work_takes_longer() -> None:
    gauge = Gauge(peak=1.0, flops_of=lambda _: 1.0, work=(1.0, 3.0))
    shares = [gauge.share_done(epoch) for epoch in (0, 0.5, 1.0, 1.5, 2.0)]
    assert shares == [0, 0.125, 0.25, 0.625, 1]


def test_lines_hold_the_share_of_the_peak_and_the_time_left_through_a_kill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("dualtune.lm.trainlog.time.monotonic", lambda: now[0])
    path = tmp_path / "train.jsonl"
    gauge = Gauge(peak=100.0, flops_of=lambda step: 20.0 * step.tokens_distinct, work=(1.0, 3.0))
    for number in (1, 2):
        log = TrainLog(path, resumed_step=number - 1, gauge=gauge)
        now[0] += 8.0
        log.add(STEP, weighted=1.0, loss=np.zeros(3), tokens=np.ones(3, np.int64))
        log.flush(step=number, epoch=number / 2, learning_rate=1.0, grad_norm=1.0)
    first, second = [json.loads(line) for line in path.read_text().splitlines()]
    # 200 FLOPs in 8 seconds, of 100 a second; an eighth of the work is done.
    assert (first["flops"], first["peak_share"], first["seconds_left"]) == (200, 0.25, 56)
    assert (second["flops"], second["peak_share"], second["seconds_left"]) == (400, 0.25, 48)
    told = log.summary()
    assert (told["flops"], told["peak_share"], told["peak_flops_per_second"]) == (400, 0.25, 100)


def test_useful_flops_follow_the_formula() -> None:
    """6 FLOPs a token and weight (Kaplan et al. 2020), and 4 where weights are frozen."""
    shape = plan.model_shape(CONFIGS["llama"])
    counts = {"tokens": 10, "predictions": 4, "pairs": 55}
    attention = 12 * shape.queries * shape.layers * 55
    for frozen, products in ((False, 6), (True, 4)):
        weights = products * (shape.body * 10 + shape.hidden * shape.vocabulary * 4)
        assert plan.useful_flops(shape, **counts, frozen=frozen) == weights + attention


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_peak_is_that_of_a_machine_of_today(precision: str) -> None:
    assert 1e8 < measured_peak("cpu", precision) < 1e14
