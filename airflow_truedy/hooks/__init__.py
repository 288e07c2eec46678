"""Connections to Truedy for operators, sensors, triggers and Python tasks."""
