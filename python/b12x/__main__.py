"""`python -m b12x`: the command `b12x` where the package is not installed but lies in PYTHONPATH."""

import sys

from b12x.cli import main

sys.exit(main())
