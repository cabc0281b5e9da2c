"""What a commissioner needs to open a unit: passcode, SPAKE2+ verifier, QR code and manual code. Pure."""
