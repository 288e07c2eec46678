"""``python -m airflow_truedy.sandbox``."""

import sys

from airflow_truedy.sandbox.cli import main

sys.exit(main())
