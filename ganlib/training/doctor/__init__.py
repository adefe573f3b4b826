"""What goes wrong in a run: figures of it that are nearly free, and rules over their history."""
