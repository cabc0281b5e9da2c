# SPDX-License-Identifier: Apache-2.0
"""Puts this process's clock hours wrong: every module of the station that reads the date gets another `datetime`."""

import sys
from datetime import datetime, timedelta, tzinfo
from typing import Self


class _Instances(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, datetime)


def set_wrong(by: timedelta) -> None:
    """Moves the date of all modules of the station that have been imported."""

    class Skewed(datetime, metaclass=_Instances):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return datetime.now(tz) + by  # type: ignore[return-value]  # one of the true class, as its arithmetic makes it

    for name, module in list(sys.modules.items()):
        if name.startswith("station.") and getattr(module, "datetime", None) is datetime:
            module.datetime = Skewed  # type: ignore[attr-defined]
