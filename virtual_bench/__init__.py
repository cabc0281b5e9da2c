"""ST-LINK probes, STM32WB55 boards and STM32_Programmer_CLI as programs: what a station meets at its bench, without hardware.

It imports nothing from the station or from the development PKI: that independence is a test instrument.
"""
