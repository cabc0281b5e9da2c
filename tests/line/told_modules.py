# SPDX-License-Identifier: Apache-2.0
"""`station`, which writes down at its end what it has imported: `python -m tests.line.told_modules run --config …`.

The file is the one that TOLD_MODULES names, with a module's name a line.
"""

import os
import sys
from pathlib import Path

from station import __main__

VARIABLE = "TOLD_MODULES"

if __name__ == "__main__":
    try:
        __main__.main()
    finally:
        Path(os.environ[VARIABLE]).write_text("\n".join(sorted(sys.modules)), encoding="ascii")
