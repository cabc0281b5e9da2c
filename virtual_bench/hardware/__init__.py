"""What a firmware can touch: flash, the radio's core, secure storage, and how these fail."""
