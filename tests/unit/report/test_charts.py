from __future__ import annotations

import base64
import gzip
import math
from pathlib import Path

import pytest

from dualtune.evaluate.statistics import Estimate
from dualtune.report import charts
from dualtune.report.accuracy import pairs, table
from dualtune.report.collect import collect
from dualtune.report.samples import Lengths

from .fake_eval import write_nine

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
    cells = [("tuned", Estimate(0.3, 0.2, 0.45)), ("odd", None)]
    line = {"title": "SVAMP", "note": "in domain · all", "average": False, "cells": cells}
    (chart,) = charts.accuracy_charts([line], ["tuned", "odd"])
    tuned, odd = chart.figure["data"]
    assert tuned["x"] == [30]
    assert tuned["error_x"]["array"] == pytest.approx([15])
    assert tuned["error_x"]["arrayminus"] == pytest.approx([10])
    assert odd["x"] == []
    assert [tuned["meta"]["role"], odd["meta"]["role"]] == ["tuned", "other"]
    assert charts.accuracy_charts([], []) == []


def test_differences_stand_around_the_line_of_none(tmp_path: Path) -> None:
    files = collect(write_nine(tmp_path, rows=20))
    compared = pairs(files)
    lines = table(files, compared)
    (chart,) = charts.difference_charts(lines, compared)
    (trace,) = chart.figure["data"]
    differences = [line["changes"][0].difference for line in lines]
    assert trace["x"] == pytest.approx([100 * one.value for one in differences])
    ends = [x + over for x, over in zip(trace["x"], trace["error_x"]["array"], strict=True)]
    assert ends == pytest.approx([100 * one.high for one in differences])
    averages = [line["average"] for line in lines]
    shapes = trace["marker"]["symbol"]
    assert [one == "diamond" for one in shapes] == averages
    low, high = chart.figure["layout"]["xaxis"]["range"]
    assert low < 0 < high
    assert chart.figure["layout"]["shapes"][0]["x0"] == 0
    alone = table(files, [])
    assert charts.difference_charts(alone, []) == []


def test_the_bundle_unpacks_to_plotly() -> None:
    packed, name = charts.plotly_bundle()
    assert name.startswith("plotly.js ")
    assert b"Plotly" in gzip.decompress(base64.b64decode(packed))
    assert len(packed) < 2_500_000
