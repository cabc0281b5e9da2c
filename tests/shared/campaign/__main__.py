# SPDX-License-Identifier: Apache-2.0
"""Runs one campaign: `make campaign-shared ARGS="--stations 100 --slots 64 --seed 1"`."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.shared.campaign.campaign import Campaign, memory, server_for
from tests.shared.campaign.plan import Plan, parsed


@contextmanager
def folder_of(plan: Plan) -> Iterator[Path]:
    """The plan's folder, or one in memory that is removed: a hundred stations wait for one disk otherwise."""
    if plan.folder is not None:
        plan.folder.mkdir(parents=True)
        yield plan.folder
        return
    folder = Path(tempfile.mkdtemp(prefix="campaign-", dir=memory()))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def main() -> int:
    plan = parsed()
    with server_for(plan) as server, folder_of(plan) as folder:
        outcome = Campaign.prepared(plan, folder, server).run()
        if not outcome.good:
            sys.stderr.write((folder / "errors.txt").read_text(encoding="utf-8")[-3000:])
    sys.stdout.write(f"{outcome.text}\n")
    return 0 if outcome.good else 1


if __name__ == "__main__":
    sys.exit(main())
