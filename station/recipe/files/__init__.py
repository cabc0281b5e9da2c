"""Recipes, image manifests and trust stores as files that people write, checked whole."""
