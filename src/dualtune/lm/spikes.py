"""Losses that are far above those of the last steps."""

from __future__ import annotations

import json
import statistics
from collections import deque
from pathlib import Path

# A loss so many times the median of the last steps is no noise: IR and solve differ by three.
SPIKE = 10.0
# But no loss below this (nats a label token): a model that has learnt its data by heart goes from
# 0.01 to 0.2 at new masks, and nothing is broken.
SPIKE_FLOOR = 1.0
SPIKE_WINDOW = 50
SPIKE_AFTER = 20
# In a checkpoint: the losses that a spike is told by, so that a resumed run stops where a straight
# one does.
RECENT = "recent_losses.json"


class Spikes:
    """Tells a loss that is far above that of the last steps."""

    def __init__(self, checkpoint: Path | None = None) -> None:
        """Start without a step, or with the last ones before a checkpoint."""
        self.recent: deque[float] = deque(maxlen=SPIKE_WINDOW)
        if checkpoint is not None and (checkpoint / RECENT).is_file():
            self.recent.extend(json.loads((checkpoint / RECENT).read_text(encoding="utf-8")))

    def is_spike(self, loss: float) -> bool:
        """Say whether a loss is a spike, and count it to the last steps if not."""
        if len(self.recent) >= SPIKE_AFTER:
            bound = max(SPIKE * statistics.median(self.recent), SPIKE_FLOOR)
            if loss > bound:
                return True
        self.recent.append(loss)
        return False
