from __future__ import annotations

import base64
import gzip
import json
import re
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest

from dualtune.errors import BadInput
from dualtune.report import render_report, write_report

from .fake_eval import write_nine
from .fake_run import NASTY, write_run


class Elements(HTMLParser):
    """Collects attributes that could fetch something, and the texts of scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.scripts: dict[str, str] = {}
        self._script: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        wanted = ("src", "href", "srcset", "data", "action")
        self.links += [v for k, v in attrs if k in wanted and v]
        if tag == "script":
            self._script = values.get("id") or f"script {len(self.scripts)}"
            self.scripts[self._script] = ""

    def handle_data(self, data: str) -> None:
        if self._script is not None:
            self.scripts[self._script] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._script = None


def test_the_page_refers_to_nothing_outside_itself(full_page: Path) -> None:
    text = full_page.read_text(encoding="utf-8")
    links = Elements(text).links
    assert links
    # A link to the page beside it is followed by a click alone.
    assert [link for link in links if not link.startswith(("#", "data:"))] == ["data.html"]
    style = re.search(r"<style>(.*?)</style>", text, re.S)
    assert style is not None
    assert "url(" not in style[1]
    assert "@import" not in style[1]


def unpacked(text: str) -> dict:
    packed = Elements(text).scripts["rows-gz"]
    return json.loads(gzip.decompress(base64.b64decode(packed)))


def test_embedded_data_survives_and_cannot_leave_its_script(full_page: Path) -> None:
    text = full_page.read_text(encoding="utf-8")
    page = unpacked(text)
    assert Counter(row[0] for row in page["rows"]) == {0: 1000, 1: 200}
    assert page["rows"][1][9][1][1][0][0] == NASTY
    scripts = Elements(text).scripts
    assert re.fullmatch(r"[A-Za-z0-9+/=]+", scripts["rows-gz"])
    assert "window.hacked = 1" not in text


def test_only_one_copy_of_the_plotting_library(full_page: Path) -> None:
    scripts = Elements(full_page.read_text(encoding="utf-8")).scripts
    assert [name for name, text in scripts.items() if len(text) > 1_500_000] == ["plotly-gz"]


def test_the_same_run_gives_the_same_page(full_run: Path, full_page: Path) -> None:
    assert render_report(full_run) == full_page.read_text(encoding="utf-8")


def test_page_says_what_was_trained_and_what_came_of_it(full_page: Path) -> None:
    text = full_page.read_text(encoding="utf-8")
    assert "Tuned on 955 Problems of mawps_asdiv_cot.json for 3 epochs" in text
    assert "better beyond the noise" in text
    assert "inside the noise" in text
    assert "numbers that the rationale never uses" in text
    assert "9f2b6c1e0d7a4f33" in text
    assert "1.40 tokens trained over for each one computed" in text
    assert "mawps_asdiv_cot.json:17" in text
    assert '<mark class="mask"' in text


def test_an_adapter_and_an_early_stop_are_told(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    values = json.loads((run / "train.json").read_text())
    values |= {"adapter": "lora", "stopped_early": True}
    (run / "train.json").write_text(json.dumps(values))
    text = render_report(run)
    assert "Tuned with LoRA on 955 Problems" in text
    assert "It was stopped early" in text


@pytest.mark.parametrize(
    ("stages", "said"),
    [
        ((), ["not been built yet", "not been tuned", "No evaluation has finished", "not run"]),
        (("build",), ["The model is not tuned yet", "No evaluation has finished"]),
        (("build", "train"), ["No evaluation has finished", "nothing to browse"]),
        (("build", "train", "tuned"), ["untuned model has not been evaluated yet"]),
        (("build", "base"), ["tuned model has not been evaluated yet", "not been tuned"]),
    ],
)
def test_absent_stages_are_named(tmp_path: Path, stages: tuple[str, ...], said: list[str]) -> None:
    text = render_report(write_run(tmp_path, stages=stages))
    for words in said:
        assert words in text


def test_models_from_elsewhere_are_compared_at_the_top(tmp_path: Path) -> None:
    write_nine(tmp_path, rows=40, models=("base", "one", "two"))
    manifest = {"stages": {"eval_one": {"seconds": 2.0, "finished": "2026-01-02T03:04:05"},
                           "eval_two": {"seconds": 0.0, "unfinished": "f00"}}}  # fmt: skip
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    text = render_report(tmp_path)
    assert "<h1>3 models compared</h1>" in text
    assert "one, two against tiny before tuning, on 9 benchmarks" in text
    top = text[: text.index('id="ran"')]
    assert top.count("one +") + top.count("one \N{MINUS SIGN}") + top.count("one 0.0") == 12
    assert "has not been evaluated" not in text
    assert "Evaluate two" in text
    assert text.count("not finished") == 1


def test_an_evaluation_cut_short_is_said_and_its_rows_can_be_read(tmp_path: Path) -> None:
    write_run(tmp_path)
    summary = json.loads((tmp_path / "eval.json").read_text())
    del summary["models"]["tuned"]["gsm8k"]
    (tmp_path / "eval.json").write_text(json.dumps(summary))
    text = render_report(tmp_path)
    assert "Generated in part, and not counted here: GSM8K (after tuning)." in text
    assert [one["key"] for one in unpacked(text)["benchmarks"]] == ["svamp", "gsm8k"]


def test_training_cut_short_shows_its_curves(tmp_path: Path) -> None:
    write_run(tmp_path, stages=("build", "train"))
    (tmp_path / "train.json").unlink()
    text = render_report(tmp_path)
    assert "Tuning has not finished; the curves show how far it came." in text
    assert 'id="loss-solve"' in text


def test_a_run_folder_with_nothing_but_a_manifest(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    assert "Nothing has been built or tuned in this run yet." in render_report(tmp_path)


def test_a_stage_run_by_its_own_command_is_not_called_missing(tmp_path: Path) -> None:
    write_run(tmp_path)
    (tmp_path / "manifest.json").unlink()
    text = render_report(tmp_path)
    assert "not run" not in text
    assert re.search(r"<td>Tune</td><td class=\"n\">57.min 47.s</td>", text)


def test_half_a_character_in_an_output_does_not_stop_the_report(tmp_path: Path) -> None:
    write_run(tmp_path, stages=("tuned",))
    path = tmp_path / "eval/tuned/gsm8k.cot.jsonl"
    path.write_text(path.read_text().replace("The answer is", "The answer \\ud83d is", 1))
    page = unpacked(write_report(tmp_path).read_text(encoding="utf-8"))
    assert "The answer ? is" in json.dumps(page)


@pytest.mark.parametrize(
    ("module", "package"),
    [("jinja2", "jinja2"), ("plotly.graph_objects", "plotly"), ("scipy.stats", "scipy")],
)
def test_a_missing_extra_is_named_with_its_remedy(
    full_run: Path, monkeypatch: pytest.MonkeyPatch, module: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(BadInput, match=rf"needs {package},.*pip install 'dualtune\[report\]'"):
        render_report(full_run)


def test_nine_benchmarks_are_told_by_their_averages(tmp_path: Path) -> None:
    text = render_report(write_nine(tmp_path, rows=40))
    assert "Average, out of domain" in text
    assert "Holm-adjusted for 9 benchmarks" in text
    assert text.count("each counting alike") == 2 * 3
    assert 'id="difference-chart"' in text
    assert "What is not the same, and what was left out (9)" in text
    assert 'href="#benchmark=math&amp;part=level%3A5"' in text


def test_samples_and_rows_left_out_are_told(tmp_path: Path) -> None:
    text = render_report(write_nine(tmp_path, rows=8, samples=3))
    assert "MATH: 82 rows (overlaps), 1 row (labels)." in text
    assert "Several samples a row" in text
    assert re.search(r"k = 2: <b>50\.0.%</b>", text)
    assert "Several samples a row" not in render_report(write_nine(tmp_path / "one", rows=8))


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_colours_have_contrast(full_page: Path, scheme: int) -> None:
    """WCAG AA: 4.5 to 1 for text."""
    blocks = re.findall(r":root \{(.*?)\}", full_page.read_text(encoding="utf-8"), re.S)
    colours = dict(re.findall(r"--([\w-]+): (#\w{6})", blocks[scheme]))
    pairs = [(text, ground) for text in ("ink", "muted", "accent", "good", "bad")
             for ground in ("paper", "raised", "sunk")]  # fmt: skip
    pairs += [("solve", "raised"), ("irsp", "raised"), ("ir", "raised"), ("mark-ink", "mark"),
              ("good", "good-wash"), ("ink", "good-wash"), ("muted", "good-wash"),
              ("paper", "accent")]  # fmt: skip
    for text, ground in pairs:
        one, other = sorted((_luminance(colours[text]), _luminance(colours[ground])))
        assert (other + 0.05) / (one + 0.05) >= 4.5, (text, ground)
