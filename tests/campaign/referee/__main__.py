# SPDX-License-Identifier: Apache-2.0
"""`python -m tests.campaign.referee DIR`: judges what a campaign has left. Exits with 1 when a promise is broken."""

import sys
from collections import Counter
from pathlib import Path

from tests.campaign.evidence import Evidence
from tests.campaign.referee.judge import violations

SHOWN = 5  # of each promise


def main() -> int:
    if len(sys.argv) != 2:
        sys.stdout.write(f"{__doc__}\n")
        return 2
    found = violations(Evidence.read(Path(sys.argv[1])))
    for promise, count in Counter(each.promise for each in found).items():
        sys.stdout.write(f"BROKEN  {promise}: {count}\n")
        shown = [each.what for each in found if each.promise is promise][:SHOWN]
        sys.stdout.writelines(f"        {what}\n" for what in shown)
    sys.stdout.write(f"{len(found)} violations\n")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
