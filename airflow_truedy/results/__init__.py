"""What became of each contact of a campaign."""
