"""``python -m dualtune.cli``."""

import sys

from dualtune.cli import main

sys.exit(main())
