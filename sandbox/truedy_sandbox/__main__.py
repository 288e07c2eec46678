"""``python -m truedy_sandbox``."""

import sys

from truedy_sandbox.cli import main

sys.exit(main())
