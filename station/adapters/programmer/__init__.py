"""STM32_Programmer_CLI: runs it, reads its output, and decides what the output proves."""
