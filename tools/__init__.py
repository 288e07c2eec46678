"""What the Makefile runs, and the real Airflow that tools and integration tests share."""
