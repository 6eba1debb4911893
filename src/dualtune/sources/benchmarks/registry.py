"""Which benchmarks there are, and for which training data they are in-domain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

from dualtune.errors import BadInput, nearest
from dualtune.grade import AnswerKind
from dualtune.recipe import EvalFile

Domain = Literal["in", "out"]
SyntheticSplit = Literal["test", "ood_types", "ood_depth"]

SYNTHETIC_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A test set.

    Attributes:
        name: What recipes call it.
        title: What reports call it.
        rows: How many rows it has; None where only reading a user's file tells.
        near: Training sources that make it in-domain (names as ``source_name`` gives them).
        kind: The kind of its answers; ``mixed`` where rows differ.
        file: Its file in the benchmark folder; None where it is generated.
        split: Its split of the generator; None where it is a file.
        checksum: SHA-256 of the canonical rows of the file; None where it is not known.
        hub: The data set on the Hugging Face hub that the file is from, and its split.
    """

    name: str
    title: str
    rows: int | None
    near: frozenset[str]
    kind: AnswerKind = "number"
    file: str | None = None
    split: SyntheticSplit | None = None
    checksum: str | None = None
    hub: tuple[str, str] | None = None


# Training sources near a benchmark: made of its training split, or by the same people from the
# same material. MathInstruct holds the training sets of GSM8K, MATH, AQuA-RAT and NumGLUE
# (MAmmoTH, arXiv 2309.05653, table 1), MetaMathQA and OpenMathInstruct rewrite GSM8K's and
# MATH's, NuminaMath-CoT takes both up, MathQA was made from AQuA-RAT. SVAMP was made from ASDiv-A
# and MAWPS questions. The generator's held-out types and depths are out of domain for its own
# training split by design.
_REWRITTEN = frozenset(
    {"mathinstruct", "metamathqa", "openmathinstruct-1", "openmathinstruct-2", "numinamath-cot"}
)
_GSM8K = _REWRITTEN | {"gsm8k", "gsm8k_train"}
_MATH = _REWRITTEN | {"math", "math_train", "competition_math", "hendrycks_math"}
_AQUA = frozenset({"aqua", "aqua_rat", "aqua_flan", "aqua_train", "mathqa", "mathinstruct"})
_NUMGLUE = frozenset({"numglue", "numglue_train", "mathinstruct"})
_MAWPS = frozenset({"mawps_cot", "mawps_asdiv_cot", "mawps", "asdiv", "svamp"})
_MATHEMATICS = frozenset({"mathematics", "mathematics_dataset", "math_dataset"})
_SIMULEQ = frozenset({"simuleq", "draw", "draw1k", "alg514"})
_SAT = frozenset({"sat", "sat_math"})
_MMLU = frozenset({"mmlu", "mmlu_math"})
_SYNTHETIC = frozenset({"synthetic", "sample", "synthetic_test"})

# The MathInstruct/MAmmoTH protocol, in its order.
NINE: tuple[str, ...] = (
    "gsm8k",
    "math",
    "aqua",
    "numglue",
    "svamp",
    "mathematics",
    "simuleq",
    "sat",
    "mmlu_math",
)

BENCHMARKS: Mapping[str, Benchmark] = {
    benchmark.name: benchmark
    for benchmark in (
        Benchmark(
            "gsm8k",
            "GSM8K",
            1319,
            _GSM8K,
            file="gsm8k.jsonl",
            checksum="541d48d2c7b450eb95c5670e32f6be80576d8ff74031bc91183c805bf5b9602a",
        ),
        Benchmark(
            "math",
            "MATH",
            5000,
            _MATH,
            kind="latex",
            file="math.jsonl",
            checksum="fe6d7e122bb7b4612584f1348e74f12e5a4fa97c476460230cae3a694586fe02",
        ),
        Benchmark(
            "aqua",
            "AQuA-RAT",
            254,
            _AQUA,
            kind="choice",
            file="aqua.json",
            checksum="2b3075f0bc9f71fbc4825b318d4893e4e686134f2a3064aea717c96e2642fd2b",
        ),
        Benchmark(
            "numglue",
            "NumGLUE",
            1042,
            _NUMGLUE,
            kind="mixed",
            file="numglue.json",
            checksum="c2259e19004ee87d6b6810a5e4377a76afd289c790a9b482ef8d9b6e8db7312f",
        ),
        Benchmark(
            "svamp",
            "SVAMP",
            1000,
            _MAWPS,
            file="svamp.json",
            checksum="0ed1907db727929c7c15dc8d9d514af219b52c925e2fccb84f1cbfdaf0695b29",
        ),
        Benchmark(
            "mathematics",
            "Mathematics",
            1000,
            _MATHEMATICS,
            kind="mixed",
            file="mathematics.json",
            checksum="3c990e8c727e936c474dd03e563ef65d5741e0435a3c79679575e02cb9f8e0bb",
        ),
        Benchmark(
            "simuleq",
            "SimulEq",
            514,
            _SIMULEQ,
            file="simuleq.json",
            checksum="7e26141af203d6e568af5f7578cf1d988f9e314df906b3a8474a84e76fa77a7f",
        ),
        Benchmark(
            "sat",
            "SAT-Math",
            220,
            _SAT,
            kind="choice",
            file="sat.json",
            checksum="4be86494616a1cb5797b91de1001b188659607503b8608456cee88955479b79d",
        ),
        Benchmark(
            "mmlu_math",
            "MMLU-Math",
            974,
            _MMLU,
            kind="choice",
            file="mmlu_math.json",
            checksum="f8279d288cf6a4dd33470eed266d6f080edac465de730a1132d3f8519bafe650",
        ),
        # The rows of these four are counted and checked one by one; their files were not at hand
        # when this list was written, so there is no checksum of theirs.
        Benchmark("math500", "MATH-500", 500, _MATH, kind="latex", file="math500.jsonl"),
        Benchmark(
            "gsm8k_platinum",
            "GSM8K-Platinum",
            1209,
            _GSM8K,
            file="gsm8k_platinum.jsonl",
            hub=("madrylab/gsm8k-platinum", "test"),
        ),
        Benchmark(
            "aime24",
            "AIME 2024",
            30,
            frozenset({"aime24", "aime_2024"}),
            file="aime24.jsonl",
            hub=("HuggingFaceH4/aime_2024", "train"),
        ),
        Benchmark(
            "aime25",
            "AIME 2025",
            30,
            frozenset({"aime25", "aime_2025"}),
            file="aime25.jsonl",
            hub=("math-ai/aime25", "test"),
        ),
        Benchmark("synthetic_test", "Synthetic", SYNTHETIC_ROWS, _SYNTHETIC, split="test"),
        Benchmark(
            "synthetic_ood_types",
            "Synthetic, new story types",
            SYNTHETIC_ROWS,
            frozenset({"synthetic_ood_types"}),
            split="ood_types",
        ),
        Benchmark(
            "synthetic_ood_depth",
            "Synthetic, deeper",
            SYNTHETIC_ROWS,
            frozenset({"synthetic_ood_depth"}),
            split="ood_depth",
        ),
    )
}


def find_benchmark(
    name: str, *, files: Mapping[str, EvalFile] | None = None, key: str = "eval.benchmarks"
) -> Benchmark:
    """Return the benchmark of a name.

    Args:
        name: The name.
        files: The recipe's ``eval.files``, a user's own test sets.
        key: The key of the recipe that names it, for the message.

    Raises:
        BadInput: If there is none, with the nearest name, or a file of the user's has the name of
            a built-in one, or one that is no name of a file.
    """
    own = files or {}
    if name in own and name in BENCHMARKS:
        raise BadInput(f"eval.files: {name!r} is a built-in benchmark; give the file another name")
    if name in own and (name.startswith(".") or not name or set(name) & set("/\\")):
        raise BadInput(
            f"eval.files: {name!r} cannot be a benchmark's name, as its generations are a file "
            "called so: leave out '/', '\\' and a dot at the beginning."
        )
    if name in own:
        return Benchmark(name, name, None, frozenset(), kind=own[name].kind, file=own[name].path)
    if name not in BENCHMARKS:
        raise BadInput(f"{key}: unknown benchmark {name!r}{nearest(name, (*BENCHMARKS, *own))}")
    return BENCHMARKS[name]


def source_name(source: str) -> str:
    """Return the name by which the domain table knows a training source.

    Args:
        source: A format (``gsm8k``), a file, ``builtin:sample``, or a hub id.

    Returns:
        Its last part without folders and suffixes, in small letters: ``mawps_asdiv_cot``.
    """
    return PurePath(source.removeprefix("builtin:")).name.split(".")[0].lower()


def domain_of(
    name: str,
    train_source: str,
    *,
    chosen: Mapping[str, Domain] | None = None,
    files: Mapping[str, EvalFile] | None = None,
) -> Domain:
    """Say whether a benchmark is in or out of the domain of the training data.

    Args:
        name: The benchmark.
        train_source: What was trained on; several sources are joined by ``+``.
        chosen: The recipe's ``eval.domains``, which wins.
        files: The recipe's ``eval.files``, out of domain unless ``chosen`` says otherwise.

    Returns:
        ``in`` where a training source is near the benchmark, else ``out``: a source that the
        table does not know counts as far.

    Raises:
        BadInput: If ``chosen`` or ``name`` names no benchmark.
    """
    for given in (name, *(chosen or {})):
        find_benchmark(given, files=files)
    if chosen and name in chosen:
        return chosen[name]
    sources = {source_name(part) for part in train_source.split("+")}
    return "in" if sources & find_benchmark(name, files=files).near else "out"
