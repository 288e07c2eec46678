"""The rules of a campaign: when it may call, how it is launched exactly once, how it ended. No Airflow here."""
