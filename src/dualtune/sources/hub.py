"""Rows out of a data set on the Hugging Face hub, or of a local one, through ``datasets``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dualtune.errors import BadInput
from dualtune.recipe import Source
from dualtune.sources.files import Row


def read_hub(source: Source) -> Iterator[Row]:
    """Stream the rows of a data set.

    Args:
        source: A source with ``hub`` set to an id (``openai/gsm8k``) or to a local folder that
            ``datasets`` can load; ``split`` and ``name`` choose what is read.

    Yields:
        Each row, with its number in the split as its place.

    Raises:
        BadInput: If the data set, its configuration or its split is not there, or the hub cannot
            be reached.
    """
    # Imported here: it takes a second, and most runs read a file.
    import datasets
    from huggingface_hub.errors import HfHubHTTPError

    assert source.hub is not None
    # The bases hold the error class of the HTTP library that the hub's client stands on.
    http = [base for base in HfHubHTTPError.__bases__ if issubclass(base, Exception)]
    unreachable: tuple[type[Exception], ...] = (OSError, *http)
    number = 0
    try:
        rows = _load(datasets, source)
        for values in rows:
            number += 1
            yield Row(f"{source.hub}/{source.split} row {number}", dict(values))
    except datasets.exceptions.DatasetNotFoundError as error:
        raise BadInput(
            f"data set {source.hub!r} is not on the hub, or you have no access to it: check "
            f"data.train.hub; a gated one needs `hf auth login`. ({_first_line(error)})"
        ) from error
    except FileNotFoundError as error:
        raise BadInput(f"data set {source.hub!r}: {_first_line(error)}") from error
    except (ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        # datasets names the splits or configurations that are there, or what it cannot read.
        raise BadInput(
            f"data set {source.hub!r} (split {source.split!r}, name {source.name!r}): "
            f"{_first_line(error)} Set data.train.split and data.train.name."
        ) from error
    except unreachable as error:
        raise BadInput(_unreachable(source, number, error)) from error


def _load(datasets: Any, source: Source) -> Any:
    return datasets.load_dataset(source.hub, source.name, split=source.split, streaming=True)


def _unreachable(source: Source, number: int, error: Exception) -> str:
    after = f" after row {number}" if number else ""
    return (
        f"cannot read data set {source.hub!r} from the Hugging Face hub{after}: "
        f"{_first_line(error)}. Check the network (and HF_HUB_OFFLINE, HF_ENDPOINT), or download "
        "the data set and set data.train.path to its file or data.train.hub to its folder."
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def local_files(hub: str) -> list[Path]:
    """Return the files of a data set folder on this machine, sorted; none for a hub id."""
    folder = Path(hub)
    if folder.is_file():
        return [folder]
    return sorted(p for p in folder.rglob("*") if p.is_file()) if folder.is_dir() else []
