"""Notifiers: what tells people."""
