"""The Truedy public API over HTTP: requests, answers, errors and two clients. Knows nothing of Airflow."""
