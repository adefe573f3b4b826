"""What a generator is sampled by: streams of samples, conditions, statistics."""
