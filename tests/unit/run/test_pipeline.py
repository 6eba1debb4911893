"""Which stages run, which are skipped, and what the manifest says. The stages are fakes."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import dualtune
from dualtune.errors import BadInput, DualtuneError
from dualtune.manifest import Manifest
from dualtune.recipe import Recipe, load_recipe, parse_recipe
from dualtune.run import Pipeline, preview_recipe, run_recipe, train_source

EVERYTHING = ["build", "audit", "eval_base", "train", "eval_tuned", "report"]


class Place:
    """A data file, a model folder, and a run folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "problems.jsonl"
        self.model = folder / "model"
        self.run = folder / "run"
        self.write_row("Tom has 3 apples and eats 1. How many are left?")
        self.model.mkdir()
        (self.model / "config.json").write_text("{}")
        self.write_weights(b"1")

    def write_row(self, question: str) -> None:
        row = {"question": question, "rationale": "3 - 1 = 2.", "answer": "2"}
        self.data.write_text(json.dumps(row) + "\n")

    def write_weights(self, content: bytes) -> None:
        (self.model / "model.safetensors").write_bytes(content)

    def recipe(self, **changes: dict[str, Any]) -> Recipe:
        values: dict[str, Any] = {
            "data": {"train": {"path": str(self.data)}},
            "model": {"id": str(self.model)},
            "eval": {"benchmarks": ["synthetic_test"]},
            "run": str(self.run),
        }
        for section, inner in changes.items():
            values[section] = {**values.get(section, {}), **inner}
        return parse_recipe(values)

    def everything(self, recipe: Recipe | None = None) -> list[str]:
        pipeline = Pipeline.open(recipe or self.recipe())
        pipeline.everything()
        return pipeline.fresh

    @property
    def manifest(self) -> dict[str, Any]:
        values: dict[str, Any] = json.loads((self.run / "manifest.json").read_text())
        return values


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture(autouse=True)
def stages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stages that write what the next run looks for, and nothing else."""

    def written(file: Path) -> Path:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("{}")
        return file

    def built(self: Pipeline) -> None:
        for name in ("problems/train", "problems/validation", "instances/train"):
            written(self.run / f"{name}.parquet")
        written(self.run / "build.json")

    def audited(self: Pipeline) -> None:
        for name in ("audit/audit.json", "audit/findings.jsonl"):
            written(self.run / name)

    def trained(self: Pipeline) -> None:
        for name in ("model/config.json", "train.json", "train.jsonl"):
            written(self.run / name)

    def evaluated(self: Pipeline, model: str, folder: Path | str | None) -> None:
        written(self.run / "eval.json")
        written(self.run / "eval" / model / "synthetic_test.cot.jsonl")

    monkeypatch.setattr(Pipeline, "_build", built)
    monkeypatch.setattr(Pipeline, "_audit", audited)
    monkeypatch.setattr(Pipeline, "_train", trained)
    monkeypatch.setattr(Pipeline, "_evaluate", evaluated)
    monkeypatch.setattr(
        "dualtune.lm.push.describe_model",
        lambda run: written(run / "model" / "README.md").parent,
    )
    monkeypatch.setattr(
        "dualtune.report.page.write_report",
        lambda run: (written(run / "data.html"), written(run / "report.html"))[1],
    )


def test_second_run_finds_everything_done(place: Place) -> None:
    assert place.everything() == EVERYTHING
    before = place.manifest
    assert place.everything() == []
    assert place.manifest == before


def test_the_card_is_written_after_training_and_again_after_the_evaluation(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[list[str]] = []

    def describe(run: Path) -> None:
        (run / "model" / "README.md").write_text("")
        written.append(sorted(Manifest.open(run).values["stages"]))

    monkeypatch.setattr("dualtune.lm.push.describe_model", describe)
    place.everything()
    assert len(written) == 2
    assert "eval_tuned" not in written[0]
    assert "eval_tuned" in written[1]
    place.everything()
    assert len(written) == 2
    (place.run / "model" / "README.md").unlink()
    place.everything()
    assert len(written) == 3


def test_only_what_the_recipe_tuned_is_pushed(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushed: list[tuple[str, bool]] = []
    monkeypatch.setattr(
        "dualtune.lm.push.push_model",
        lambda run, repo, *, private: pushed.append((repo, private)) or "address",
    )
    with pytest.raises(BadInput, match="dualtune train first"):
        Pipeline.open(place.recipe()).push("me/maths")
    place.everything()
    Pipeline.open(place.recipe()).push("me/maths", private=True)
    assert pushed == [("me/maths", True)]


TRAINED = ["train", "eval_tuned", "report"]


@pytest.mark.parametrize(
    ("section", "change", "expected"),
    [
        ("tasks", {"irsp": {"masks": 2}}, ["build", *TRAINED]),
        ("tasks", {"weights": {"ir": 0.5}}, ["build", *TRAINED]),
        ("data", {"validation": 0.5}, ["build", *TRAINED]),
        ("data", {"max_rejected": 0.5}, ["build", *TRAINED]),
        ("build", {"workers": 1, "shard_rows": 7}, []),
        ("audit", {"near": 0.9}, ["audit", "report"]),
        ("audit", {"enabled": False}, []),
        ("train", {"epochs": 3}, TRAINED),
        ("train", {"learning_rate": 1e-5}, TRAINED),
        ("train", {"workers": 0}, []),
        ("train", {"tokens_per_pack": 512, "save_steps": 7, "logging_steps": 3}, []),
        ("eval", {"limit": 10}, ["eval_base", "eval_tuned", "report"]),
        ("eval", {"batch_size": 2}, []),
        ("eval", {"baseline": False}, []),
        ("model", {"prompt": "alpaca"}, ["eval_base", *TRAINED]),
        ("model", {"system": "Think."}, ["build", "eval_base", *TRAINED]),
        ("model", {"cache_dir": "elsewhere"}, []),
    ],
)
def test_a_changed_key_runs_what_depends_on_it(
    section: str, change: dict[str, Any], expected: list[str], place: Place
) -> None:
    place.everything()
    changed = place.recipe(**{section: change}) if section != "data" else None
    if changed is None:
        data = {"train": {"path": str(place.data)}, **change}
        changed = place.recipe(data=data)
    assert place.everything(changed) == expected
    assert place.everything(changed) == []


def test_a_changed_seed_derives_anew(place: Place) -> None:
    place.everything()
    changed = place.recipe().model_copy(update={"seed": 1})
    assert place.everything(changed) == ["build", *TRAINED]


def test_a_changed_data_file_is_found_by_content(place: Place) -> None:
    place.everything()
    os.utime(place.data, (0, 0))
    assert place.everything() == []
    place.write_row("Tom has 3 pears and eats 1. How many are left?")
    assert place.everything() == ["build", "audit", *TRAINED]


def test_a_changed_model_is_trained_and_evaluated_again(place: Place) -> None:
    place.everything()
    os.utime(place.model / "model.safetensors", (0, 0))
    assert place.everything() == []
    place.write_weights(b"2")
    assert place.everything() == ["eval_base", *TRAINED]


@pytest.mark.parametrize(("lost", "stage"), [("build.json", "build"), ("report.html", "report")])
def test_a_lost_output_is_made_again(lost: str, stage: str, place: Place) -> None:
    place.everything()
    (place.run / lost).unlink()
    assert place.everything() == [stage]


@pytest.mark.parametrize("error", [DualtuneError("no"), KeyboardInterrupt(), ValueError("bug")])
def test_a_stage_that_failed_runs_again_and_those_before_do_not(
    error: BaseException, place: Place
) -> None:
    with pytest.MonkeyPatch.context() as patch:

        def fails(self: Pipeline) -> None:
            # The output stands there already: that alone must not make the stage count as done.
            (self.run / "model").mkdir()
            (self.run / "model" / "config.json").write_text("{}")
            raise error

        patch.setattr(Pipeline, "_train", fails)
        with pytest.raises(type(error)):
            place.everything()
    train = place.manifest["stages"]["train"]
    assert "fingerprint" not in train
    assert "finished" not in train
    assert place.everything() == TRAINED
    assert place.manifest["stages"]["train"]["finished"]


def test_seconds_of_an_interrupted_stage_are_kept(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("dualtune.run.pipeline.time.monotonic", lambda: now[0])

    def takes(seconds: float, error: type[BaseException] | None = None) -> Callable[..., None]:
        def work(self: Pipeline) -> None:
            now[0] += seconds
            if error:
                raise error
            (self.run / "build.json").write_text("{}")

        return work

    with monkeypatch.context() as patch:
        patch.setattr(Pipeline, "_build", takes(100, KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            Pipeline.open(place.recipe()).build()
    assert place.manifest["stages"]["build"]["seconds"] == 100
    monkeypatch.setattr(Pipeline, "_build", takes(10))
    Pipeline.open(place.recipe()).build()
    assert place.manifest["stages"]["build"]["seconds"] == 110


def test_seconds_of_other_settings_do_not_count(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = {"stages": {"build": {"unfinished": "other settings", "seconds": 100.0}}}
    place.run.mkdir()
    (place.run / "manifest.json").write_text(json.dumps(manifest))
    Pipeline.open(place.recipe()).build()
    assert place.manifest["stages"]["build"]["seconds"] < 100


def test_train_builds_first(place: Place) -> None:
    pipeline = Pipeline.open(place.recipe())
    pipeline.train()
    assert pipeline.fresh == ["build", "train"]


def test_the_tuned_model_of_other_settings_is_not_evaluated(place: Place) -> None:
    """Its accuracy would pass for that of the settings at hand, and be skipped later on."""
    with pytest.raises(BadInput, match=r"holds no model that this recipe tuned.*dualtune train"):
        Pipeline.open(place.recipe()).evaluate(model="tuned")
    place.everything()
    changed = place.recipe(train={"epochs": 7})
    with pytest.raises(BadInput, match="other settings"):
        Pipeline.open(changed).evaluate(model="tuned")
    assert place.everything(changed) == TRAINED


def test_without_benchmarks_there_is_nothing_to_evaluate(place: Place) -> None:
    assert place.everything(place.recipe(eval={"benchmarks": []})) == [
        "build",
        "audit",
        "train",
        "report",
    ]


def test_manifest(place: Place) -> None:
    place.everything()
    manifest = place.manifest
    assert manifest["dualtune"] == dualtune.__version__
    assert manifest["seed"] == 0
    assert {"torch", "transformers", "numpy"} <= manifest["packages"].keys()
    (entry,) = manifest["data"]
    assert entry["path"] == "problems.jsonl"
    assert len(entry["sha256"]) == 64
    assert manifest["model"]["id"] == "model"
    assert len(manifest["model"]["sha256"]) == 64
    assert list(manifest["stages"]) == EVERYTHING
    assert all(
        s.keys() == {"fingerprint", "seconds", "finished"} for s in manifest["stages"].values()
    )
    assert {"python", "platform"} <= manifest.keys()
    assert load_recipe(place.run / "recipe.yaml") == place.recipe()


def test_manifest_holds_no_path_of_this_machine(place: Place) -> None:
    place.everything()
    text = (place.run / "manifest.json").read_text()
    assert str(place.folder) not in text
    assert str(Path.home()) not in text


def test_manifest_names_the_model_at_hand(place: Place) -> None:
    place.everything()
    other = place.folder / "other"
    place.model.rename(other)
    pipeline = Pipeline.open(place.recipe(model={"id": str(other)}))
    pipeline.build()
    assert place.manifest["model"]["id"] == "other"


@pytest.mark.parametrize("text", ["{", "[]", "\udcff"])
def test_broken_manifest_says_what_to_do(text: str, place: Place) -> None:
    place.run.mkdir()
    file = place.run / "manifest.json"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(BadInput, match=r"manifest\.json.*Remove it"):
        Pipeline.open(place.recipe())


def test_a_kill_while_the_manifest_is_written_keeps_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = Manifest(tmp_path / "manifest.json", {"seed": 1})
    manifest.save()

    def half(self: Path, text: str, **_: Any) -> None:
        with self.open("w") as out:
            out.write(text[:3])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_text", half)
    manifest.values["seed"] = 2
    with pytest.raises(KeyboardInterrupt):
        manifest.save()
    assert Manifest.open(tmp_path).values == {"seed": 1}


def test_missing_data_file_writes_nothing(place: Place) -> None:
    place.data.unlink()
    with pytest.raises(BadInput, match=r"problems\.jsonl"):
        run_recipe(place.recipe())
    assert not place.run.exists()


def test_run_folder_that_cannot_be_made(place: Place) -> None:
    place.run.write_text("a file")
    with pytest.raises(BadInput, match=r"run: cannot write to .*--run"):
        Pipeline.open(place.recipe())


def test_full_disk_at_the_start(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(BadInput, match=r"run: cannot write to .*No space left.*--run"):
        Pipeline.open(place.recipe())


def test_full_disk_within_a_stage(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Pipeline) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "train.jsonl")

    with monkeypatch.context() as patch:
        patch.setattr(Pipeline, "_train", full)
        with pytest.raises(DualtuneError, match=r"train: the disk is full: .*train\.jsonl.*again"):
            place.everything()
    assert place.everything() == TRAINED


def test_full_disk_does_not_hide_what_stopped_a_stage(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = Pipeline.open(place.recipe())

    def fails(self: Pipeline) -> None:
        def full(*_: Any) -> None:
            raise BadInput("run: cannot write")

        monkeypatch.setattr(Manifest, "save", full)
        raise DualtuneError("the first cause")

    monkeypatch.setattr(Pipeline, "_build", fails)
    with pytest.raises(DualtuneError, match="the first cause"):
        pipeline.build()


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ({"path": "some/train.jsonl", "format": "gsm8k"}, "gsm8k+train.jsonl"),
        ({"path": "some/mine.jsonl", "format": "columns"}, "mine.jsonl"),
        ({"hub": "owner/name"}, "owner/name"),
        ({"synthetic": "train"}, "synthetic"),
        ({"synthetic": "ood_types"}, "synthetic_ood_types"),
        ({"path": "builtin:sample"}, "synthetic"),
    ],
)
def test_training_data_has_a_name(source: dict[str, str], name: str) -> None:
    assert train_source(parse_recipe({"data": {"train": source}, "run": "x"})) == name


def test_preview_shows_problems_with_their_instances(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.tiny import tiny_tokenizer

    (place.model / "config.json").write_text(json.dumps({"model_type": "llama"}))
    tiny_tokenizer().save_pretrained(place.model)
    preview_recipe(place.recipe(), count=1)
    out = capsys.readouterr().out
    assert "Tom has 3 apples" in out
    assert "<MASK>" in out
    assert not place.run.exists()


def test_a_recognised_format_says_what_was_trained_on(tmp_path: Path) -> None:
    file = tmp_path / "train.jsonl"
    file.write_text(json.dumps({"question": "1 + 1?", "answer": "1 + 1 = 2\n#### 2"}) + "\n")
    recipe = parse_recipe({"data": {"train": {"path": str(file)}}, "run": "x"})
    assert train_source(recipe) == "gsm8k+train.jsonl"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"benchmarks": ["gsm8"]}, "did you mean 'gsm8k'"),
        ({"benchmarks": ["gsm8k"], "data_dir": "nowhere"}, "gsm8k.jsonl"),
        ({"limits": {"synthetic_tst": 2}}, "did you mean 'synthetic_test'"),
    ],
)
def test_what_would_stop_the_evaluation_is_told_before_anything_runs(
    settings: dict[str, Any], message: str, place: Place
) -> None:
    with pytest.raises(BadInput, match=message):
        place.everything(place.recipe(eval=settings))
    assert not (place.run / "build.json").exists()


@pytest.mark.parametrize("lost", ["train.json", "eval.json"])
def test_a_part_of_an_output_that_is_lost_is_made_again(lost: str, place: Place) -> None:
    place.everything()
    (place.run / lost).unlink()
    assert place.everything()
    assert (place.run / lost).exists()


def test_a_refused_command_leaves_the_recipe_of_the_run(place: Place) -> None:
    place.everything()
    before = (place.run / "recipe.yaml").read_text()
    with pytest.raises(BadInput, match="no model that this recipe tuned"):
        Pipeline.open(place.recipe(train={"epochs": 9})).evaluate()
    assert (place.run / "recipe.yaml").read_text() == before


def test_a_test_set_that_appears_makes_another_audit(place: Place) -> None:
    recipe = place.recipe(eval={"data_dir": str(place.folder)})
    place.everything(recipe)
    (place.folder / "svamp.json").write_text("[]")
    assert place.everything(recipe) == ["audit", "report"]
    assert place.everything(recipe) == []
