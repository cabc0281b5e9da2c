"""One module an outside thing; each implements a Protocol of ports.py."""
