"""The generator of grade-school word problems with exact rationales."""

from dualtune.sources.synthetic.generate import (
    HELD_OUT_TYPES,
    SPLITS,
    TRAIN_TYPES,
    Row,
    draw_row,
    generate,
    sample_text,
)

__all__ = ["HELD_OUT_TYPES", "SPLITS", "TRAIN_TYPES", "Row", "draw_row", "generate", "sample_text"]
