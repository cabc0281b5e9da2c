"""STM32_Programmer_CLI: its arguments, what it does to a board, and what it prints."""
