"""The accuracy probe: held-out Problems that are answered while training goes on.

A loss says how likely the reference is, and not whether the model's own answer is right. The probe
answers a few held-out Problems greedily, as an evaluation would, and grades them.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import GenerationConfig

from dualtune.errors import BadInput
from dualtune.grade import grade
from dualtune.intervals import wilson_interval
from dualtune.lm.encode import Encoder
from dualtune.lm.steps import Preparer, epoch_order
from dualtune.recipe import Train
from dualtune.records import Problem
from dualtune.tasks.prompts import solve_messages

log = logging.getLogger(__name__)

# Prompts that are answered at once; they are sorted by length, so little of it is padding.
BATCH = 16


@dataclass(frozen=True, slots=True)
class Probed:
    """What became of the Problems of a probe.

    Attributes:
        correct: Those answered correctly.
        cut: Those whose answer reached the longest length.
        rows: All of them.
    """

    correct: int
    cut: int
    rows: int

    def line(self) -> dict[str, Any]:
        """Return what train.jsonl says of it: the accuracy and its 95 % Wilson interval."""
        return {
            "rows": self.rows,
            "correct": self.correct,
            "accuracy": self.correct / self.rows,
            "interval": list(wilson_interval(self.correct, self.rows)),
            "cut": self.cut,
        }


@dataclass(frozen=True, slots=True)
class Probe:
    """Problems that a model is asked, and how.

    Attributes:
        encoder: Renders and encodes prompts.
        problems: What is asked.
        system: System prompt, or None.
        max_new_tokens: Longest answer.
    """

    encoder: Encoder
    problems: tuple[Problem, ...]
    system: str | None
    max_new_tokens: int

    def answered(
        self, model: Any, *, rank: int = 0, size: int = 1, sharded: bool = False
    ) -> list[tuple[bool, bool]]:
        """Answer and grade a rank's share of the Problems.

        Args:
            model: The model, in evaluation mode.
            rank: Of this process.
            size: How many there are; all of them have to call it where the model is sharded.
            sharded: Each holds a part of the weights, so that all have to take equally many
                forward passes.

        Returns:
            For each Problem of the share whether it is right, and whether it was cut.
        """
        # Most to least tokens, dealt out in turn: shares and batches of about the same length.
        texts = {
            p.id: self.encoder.render(solve_messages(p.question, system=self.system))
            for p in self.problems
        }
        ordered = sorted(self.problems, key=lambda p: len(texts[p.id]), reverse=True)
        mine = ordered[rank::size]
        most = len(ordered[0::size])
        asked = mine + ordered[: most - len(mine)] if sharded else mine
        found: list[tuple[bool, bool]] = []
        for start in range(0, len(asked), BATCH):
            batch = asked[start : start + BATCH]
            outputs = self._generate(model, [texts[p.id] for p in batch], sharded=sharded)
            found += [
                (grade(text, problem.answer).status == "correct", cut)
                for problem, (text, cut) in zip(batch, outputs, strict=True)
            ]
        return found[: len(mine)]

    def _generate(self, model: Any, prompts: list[str], *, sharded: bool) -> list[tuple[str, bool]]:
        """Return the greedy answer to each prompt, and whether it was cut."""
        tokenizer = self.encoder.tokenizer
        stops = sorted({self.encoder.stop_id, *tokenizer.all_special_ids})
        ids, mask = _left_padded(
            [tokenizer.encode(p, add_special_tokens=False) for p in prompts], self.encoder.stop_id
        )
        # Every setting that a model's own defaults could change is given.
        make: Any = GenerationConfig
        config = make(
            do_sample=False,
            num_beams=1,
            temperature=1.0,
            top_k=50,
            top_p=1.0,
            repetition_penalty=1.0,
            no_repeat_ngram_size=0,
            use_cache=True,
            max_new_tokens=self.max_new_tokens,
            eos_token_id=stops,
            pad_token_id=self.encoder.stop_id,
        )
        with torch.no_grad():
            whole = model.generate(
                input_ids=ids.to(model.device),
                attention_mask=mask.to(model.device),
                generation_config=config,
                synced_gpus=sharded,
            )
        answers = []
        for row in whole[:, ids.shape[1] :].tolist():
            end = next((i for i, token in enumerate(row) if token in stops), None)
            text = tokenizer.decode(row[:end], skip_special_tokens=False)
            answers.append((text, end is None))
        return answers


def choose_probe(preparer: Preparer, problems: Sequence[Problem], settings: Train) -> Probe:
    """Choose the held-out Problems that are asked.

    Answers are graded as numbers, in this process: programs, letters and formulas are passed over.

    Args:
        preparer: Of the run; the choice depends on its seed and on the Problems' ids alone.
        problems: All held-out Problems.
        settings: The recipe's ``train``.

    Raises:
        BadInput: If no held-out Problem has a number for its answer.
    """
    rows = settings.probe_rows
    fit = [
        p
        for p in epoch_order(problems, preparer.seed, 0)
        if p.kind == "cot" and grade(f"The answer is {p.answer}.", p.answer).status == "correct"
    ]
    if not fit:
        raise BadInput(
            f"train.probe_rows is {rows}, but none of the {len(problems)} held-out Problems asks "
            "for a number, which is all that the probe grades. Set train.probe_rows: 0."
        )
    if len(fit) < rows:
        log.warning(
            "train.probe_rows is %d, but %d of the %d held-out Problems can be asked (those with "
            "a number for their answer)",
            rows,
            len(fit),
            len(problems),
        )
    return Probe(preparer.encoder, tuple(fit[:rows]), preparer.system, settings.probe_tokens)


def _left_padded(rows: list[list[int]], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return token ids ``[B, L]`` padded on the left, and a mask that is 1 at tokens."""
    longest = max(map(len, rows))
    ids = torch.full((len(rows), longest), pad)
    mask = torch.zeros(len(rows), longest, dtype=torch.long)
    for number, row in enumerate(rows):
        ids[number, longest - len(row) :] = torch.tensor(row)
        mask[number, longest - len(row) :] = 1
    return ids, mask
