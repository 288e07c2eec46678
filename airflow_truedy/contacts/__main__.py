"""See :mod:`airflow_truedy.contacts.preview`."""

import sys

from airflow_truedy.contacts.preview import main

if __name__ == "__main__":
    sys.exit(main())
