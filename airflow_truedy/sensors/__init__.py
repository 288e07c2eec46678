"""Sensors: tasks that wait for what others started."""
