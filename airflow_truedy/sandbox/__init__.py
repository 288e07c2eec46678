"""
A local, stateful Truedy to develop against: the same HTTP API, no calls, no money.

Run it with ``python -m airflow_truedy.sandbox``. It is an independent reading of Truedy's public
documentation and shares no code with the client in :mod:`airflow_truedy.api`: one can disprove the other.
"""
