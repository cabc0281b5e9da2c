# SPDX-License-Identifier: Apache-2.0
"""Recipes, image manifests and trust stores as files that people write."""
