# SPDX-License-Identifier: Apache-2.0
"""A unit's label as it lies on paper: one layout, drawn as ZPL, PDF and SVG. Pure."""
