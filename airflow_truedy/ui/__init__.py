"""The campaigns page in Airflow's UI. Only the API server loads more of it than the plugin."""
