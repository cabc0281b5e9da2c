"""STM32_Programmer_CLI: how it is run, what it prints, and what of that is believed."""
