"""The library's speed on fixed workloads, beside that of other programs: see README.md."""
