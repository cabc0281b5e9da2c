# SPDX-License-Identifier: Apache-2.0
"""The end of a command: every failure becomes a message on standard error and an exit code. Needs none of the command line's libraries."""

import sys
from collections.abc import Callable

from station.adapters.system.shown import shown
from station.cli.exit_codes import DONE, ENVIRONMENT, FAILED, MISSING, USAGE
from station.config.problems import ConfigurationInvalid
from station.daemon.control import CommandRefused, DaemonAbsent, SubjectUnknown
from station.faults import Fault
from station.faults.line import PKIFileUnusable

LONGEST_LINE = 8192  # characters: a record of factory data in hexadecimal, or the longest path


def exit_code(work: Callable[[], object]) -> int:
    """Does the work. 0 done, 1 the work failed, 2 wrong usage or configuration, 3 the environment is missing something."""
    try:
        status = work()
    except ConfigurationInvalid as exc:
        tell(*exc.problems)
        return USAGE
    except (
        PKIFileUnusable,
        SubjectUnknown,
    ) as exc:  # a file that the configuration names; a slot that the daemon has not
        tell(exc)
        return USAGE
    except (*MISSING, OSError) as exc:
        tell(exc)
        return ENVIRONMENT
    except (Fault, CommandRefused, DaemonAbsent) as exc:
        tell(exc)
        return FAILED
    return status if isinstance(status, int) else DONE


def tell(*lines: object) -> None:
    """Prints each value on one line of standard error, if there is one."""
    if sys.stderr is not None:
        for line in lines:
            sys.stderr.write(f"{shown(line, LONGEST_LINE)}\n")
            sys.stderr.flush()
