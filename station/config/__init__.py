"""The line's configuration as TOML, and mistakes in files with their places."""
