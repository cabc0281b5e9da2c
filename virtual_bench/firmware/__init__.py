"""The board's firmware as a model in Python: `model.run` does what the image in flash would do.

It sees flash, secure storage and UART, and nothing else of the bench.
"""
