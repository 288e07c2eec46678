"""Buttons on a task that lead to Truedy."""
