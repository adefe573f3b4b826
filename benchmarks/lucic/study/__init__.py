"""What the methods of the study share: networks, settings, the order of steps."""
