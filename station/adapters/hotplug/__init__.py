"""Which boards come and go, as the operating system tells it; never asked of the programmer, whose listing disturbs targets."""
