"""The verbs for what a trained generator is used for, and for what it made while it learnt."""
