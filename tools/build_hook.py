# SPDX-License-Identifier: Apache-2.0
"""Packs `config/` and the firmware images into the wheel, where `station/config/shipped.py` finds them.

The padded images are not committed, so they are made first.
"""

import runpy
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SHIPPED = "station/shipped"


class ShippedFiles(BuildHookInterface):  # type: ignore[type-arg]  # hatchling keeps its configuration's type to itself
    def initialize(self, version: str, build_data: dict[str, dict[str, str]]) -> None:
        root = Path(self.root)
        images = root / "firmware_images"
        runpy.run_path(str(images / "padding.py"), run_name="__main__")
        # An archive has the tree, and an editable installation is the tree.
        if self.target_name != "wheel" or version == "editable":
            return
        files = [path for path in (root / "config").rglob("*") if path.is_file()]
        files += [images / "manifest.toml", *images.glob("*.bin")]
        for path in files:
            build_data["force_include"][str(path)] = f"{SHIPPED}/{path.relative_to(root)}"
