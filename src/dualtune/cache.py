"""Where dualtune keeps what it made or fetched for later runs."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "DUALTUNE_CACHE"


def cache_folder(chosen: str | None = None) -> Path:
    """Return the folder: the chosen one, that of ``DUALTUNE_CACHE``, or one in the user's cache.

    Args:
        chosen: A recipe's setting, if it has one.
    """
    given = chosen or os.environ.get(VARIABLE)
    if given:
        return Path(given).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dualtune"
