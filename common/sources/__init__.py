"""What translations start from: `--source`, a kind each."""
