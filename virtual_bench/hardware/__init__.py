"""The hardware below a firmware: flash, the radio's core, secure storage, and their faults."""
