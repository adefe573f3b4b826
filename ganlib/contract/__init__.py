"""What every method promises, as tests: `ganlib check NAME`."""
