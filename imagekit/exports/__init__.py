"""What other tools build from."""
