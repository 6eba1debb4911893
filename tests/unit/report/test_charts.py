from __future__ import annotations

import base64
import gzip
import math

import pytest

from dualtune.report import charts
from dualtune.report.samples import Lengths

pytest.importorskip("plotly")


def line(step: int, **losses: float) -> dict[str, object]:
    return {
        "step": step,
        "epoch": step / 10,
        "tasks": {task: {"loss": loss, "tokens": 10} for task, loss in losses.items()},
    }


def test_loss_charts_draw_the_tasks_that_were_trained_on() -> None:
    log = [line(s, solve=2.0 - s / 50) for s in range(1, 25)]
    log.append({"step": 20, "epoch": 2, "validation": {"solve": {"loss": 1.7, "tokens": 5}}})
    (chart,) = charts.loss_charts(log)
    assert chart.id == "loss-solve"
    assert [trace["meta"]["role"] for trace in chart.figure["data"]] == ["solve", "validation"]
    # A line where the second and the third epoch begin.
    assert [shape["x0"] for shape in chart.figure["layout"]["shapes"]] == [10, 20]
    assert "training 1.98 → 1.52" in chart.note


def test_a_loss_that_is_not_finite_leaves_a_gap() -> None:
    (chart,) = charts.loss_charts([line(1, ir=1.0), line(2, ir=math.nan), line(3, ir=0.5)])
    assert chart.figure["data"][0]["x"] == [1, 3]


def test_running_mean_is_weighted_by_label_tokens() -> None:
    assert charts._running_mean([(1, 1.0, 30.0), (2, 4.0, 10.0)]) == [1.75, 1.75]


def test_length_bars_hold_every_instance_once() -> None:
    values = [0, 1, 23, 24, 25, 479, 480]
    (chart,) = charts.length_charts(Lengths("tokens", {"solve": values}))
    assert sum(chart.figure["data"][0]["y"]) == len(values)
    assert "longest 480" in chart.note


def test_accuracy_bars_end_at_the_interval() -> None:
    result = {"accuracy": 0.3, "interval": [0.2, 0.45], "domain": "out"}
    chart = charts.accuracy_chart({"tuned": {"svamp": result}})
    assert chart is not None
    (trace,) = chart.figure["data"]
    assert trace["x"] == [30]
    assert trace["error_x"]["array"] == pytest.approx([15])
    assert trace["error_x"]["arrayminus"] == pytest.approx([10])
    assert charts.accuracy_chart({}) is None


def test_the_bundle_unpacks_to_plotly() -> None:
    packed, name = charts.plotly_bundle()
    assert name.startswith("plotly.js ")
    assert b"Plotly" in gzip.decompress(base64.b64decode(packed))
    assert len(packed) < 2_500_000
