"""See :mod:`airflow_truedy.calling_hours.command`."""

import sys

from airflow_truedy.calling_hours.command import main

if __name__ == "__main__":
    sys.exit(main())
