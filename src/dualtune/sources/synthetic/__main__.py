"""Writes the packaged sample to standard output."""

import sys

from dualtune.sources.synthetic.generate import sample_text

sys.stdout.write(sample_text())
