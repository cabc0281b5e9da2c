# SPDX-License-Identifier: Apache-2.0
"""Runs a small campaign with each planted fault, which the referee must find: `make campaign-shared-bugs`."""

import sys
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

from tests.shared.campaign.campaign import Campaign, memory, server_for
from tests.shared.campaign.plan import parsed
from tests.shared.campaign.planted import BUGS

SMALL = ("--stations", "12", "--slots", "16", "--seconds", "75", "--drain", "60", "--pair-space", "60000")


def main() -> int:
    small = parsed([*SMALL, *sys.argv[1:]])
    missed = []
    for name in small.bugs or tuple(BUGS):
        plan = replace(small, bugs=(name,))
        with server_for(plan) as server, tempfile.TemporaryDirectory(prefix="campaign-", dir=memory()) as folder:
            outcome = Campaign.prepared(plan, Path(folder), server).run()
        found = Counter(each.promise for each in outcome.violations if each.promise in BUGS[name].breaks)
        sys.stdout.write(f"=== {name}: {dict(found) or 'NOT FOUND'}\n{outcome.text}\n")
        sys.stdout.flush()
        if not found:
            missed.append(name)
    sys.stdout.write(f"not found: {', '.join(missed)}\n" if missed else "every planted fault was found\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
