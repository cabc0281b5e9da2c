# SPDX-License-Identifier: Apache-2.0
"""Recipes: the properties of a product's units, and the checks of a board against them."""
