"""Read rows, write a file whole or not at all, and check that it is the same."""
