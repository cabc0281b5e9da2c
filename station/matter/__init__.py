"""What the Matter specification and ST's factory data format say: values in, values or a named refusal out. Pure."""
