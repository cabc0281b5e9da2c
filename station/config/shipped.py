# SPDX-License-Identifier: Apache-2.0
"""Files that come with the station: `config/` and `firmware_images/`.

They lie at the top of the source tree, and in an installed wheel inside the package, in the folder `station/shipped`.
"""

from importlib import resources
from pathlib import Path

_PACKAGE = Path(str(resources.files("station")))
_PACKED = _PACKAGE / "shipped"
FOLDER = _PACKED if _PACKED.is_dir() else _PACKAGE.parent

TRUST = FOLDER / "config" / "trust"
LINE_OF_DEMONSTRATION = FOLDER / "config" / "demo.toml"
RECIPE_OF_DEMONSTRATION = FOLDER / "config" / "recipes" / "lighting.toml"
