"""The line's configuration in TOML; mistakes in files, each with its place."""
