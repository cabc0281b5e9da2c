"""What whoever comes from ST's `genFactoryData.py` brings along: its command line, its inputs, its places of installation."""
