"""The rules and formats of the Matter specification: values in, values or a named refusal out. Pure."""
