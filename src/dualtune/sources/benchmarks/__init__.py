"""The benchmarks: test sets with their expected rows, answer kinds and domain.

Row count and checksum of the canonical rows are asserted when a file is loaded: a test set that
is not the whole test set gives numbers that compare with nothing.
"""

from dualtune.sources.benchmarks.files import VARIABLE, fetched_folder, find_file, read_json_rows
from dualtune.sources.benchmarks.known import (
    EXCLUSIONS,
    Exclusion,
    KnownIssue,
    excluded,
    known_issues,
)
from dualtune.sources.benchmarks.load import (
    SYNTHETIC_SEED,
    how_to_get,
    load_benchmark,
    read_benchmark,
)
from dualtune.sources.benchmarks.registry import (
    BENCHMARKS,
    NINE,
    SYNTHETIC_ROWS,
    Benchmark,
    Domain,
    domain_of,
    find_benchmark,
    source_name,
)
from dualtune.sources.benchmarks.rows import BenchmarkRow, rows_checksum

__all__ = [
    "BENCHMARKS",
    "EXCLUSIONS",
    "NINE",
    "SYNTHETIC_ROWS",
    "SYNTHETIC_SEED",
    "VARIABLE",
    "Benchmark",
    "BenchmarkRow",
    "Domain",
    "Exclusion",
    "KnownIssue",
    "domain_of",
    "excluded",
    "fetched_folder",
    "find_benchmark",
    "find_file",
    "how_to_get",
    "known_issues",
    "load_benchmark",
    "read_benchmark",
    "read_json_rows",
    "rows_checksum",
    "source_name",
]
