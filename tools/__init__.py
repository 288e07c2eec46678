"""Programs behind the Makefile, and the real Airflow that they share with the integration tests."""
