# SPDX-License-Identifier: Apache-2.0
"""The line's configuration in TOML; mistakes in files, each with its place."""
