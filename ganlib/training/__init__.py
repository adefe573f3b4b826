"""What trains: an updater, the loop around it, and what they stand on."""
