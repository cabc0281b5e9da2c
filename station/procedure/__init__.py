"""What happens to one board, top to bottom; `provision.py` is the work instruction."""
