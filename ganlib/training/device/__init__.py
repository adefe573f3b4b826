"""The machine: devices, ranks, memory, versions."""
