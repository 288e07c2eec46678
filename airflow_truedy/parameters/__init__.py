"""What the parameters of operators and sensors are: declared once, checked while a Dag is parsed, read in the run."""
