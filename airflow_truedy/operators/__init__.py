"""Operators: contacts in, batch calls out."""
