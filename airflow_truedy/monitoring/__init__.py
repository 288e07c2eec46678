"""Wait for the end of a campaign."""
