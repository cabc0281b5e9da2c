"""The STM32WB55 of a board: a Cortex-M4 that executes what stands in its flash, and the peripherals it finds there.

Only `cpu` knows the engine, Unicorn, whose licence is the GPL, version 2: nothing in the station may import this package.
"""
