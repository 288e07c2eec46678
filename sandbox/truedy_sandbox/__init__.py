"""
A local, stateful Truedy to develop against: the same HTTP API, no calls, no money.

Run it with ``truedy-sandbox``. It is an independent reading of Truedy's public documentation and shares no code
with the client in the package ``airflow_truedy``: one can disprove the other.
"""

__version__ = "0.1.0"
