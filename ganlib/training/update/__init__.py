"""How an iteration runs: batches, draws, gradients, steps, averages."""
