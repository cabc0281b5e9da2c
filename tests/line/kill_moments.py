# SPDX-License-Identifier: Apache-2.0
"""The moments between verdict, print, scan and delivery at which the daemon may be killed. `tests/line/struck.py` passes them."""

from collections.abc import Mapping
from dataclasses import dataclass

from station.config.mes import MQTT, WEBHOOK
from station.domain.labelling import LabelEvent


@dataclass(frozen=True, slots=True)
class Moment:
    """One moment, the trouble that leads there, and the test that tried it before this table, if one did."""

    name: str
    trouble: str = ""
    on_paper: bool = False
    """Whether the first label is on paper although the ledger does not say so."""
    tried_by: str = ""


def around(what: str, trouble: str = "", *, tried_by: str = "") -> tuple[Moment, Moment]:
    return Moment(f"before {what}", trouble, tried_by=tried_by), Moment(f"after {what}", trouble, tried_by=tried_by)


_WITHOUT_A_LINE = "tests/mes/test_killed.py::test_no_event_is_lost_and_none_is_new_twice"
_OF_A_LINE = "tests/line/test_label_line.py::test_labels_wait_survive_a_kill_and_are_bound_by_their_scan"
_DOWN = "tests/line/test_mes.py::test_an_mes_that_is_down_and_a_daemon_that_is_killed_lose_no_verdict"

MOMENTS = (
    *around("the verdict", tried_by=_WITHOUT_A_LINE),
    Moment(f"before {LabelEvent.PRINT_STARTED}", tried_by=_OF_A_LINE),
    Moment(f"after {LabelEvent.PRINT_STARTED}"),
    Moment("before the label"),
    Moment("half of the label"),
    Moment("after the label", on_paper=True, tried_by=_OF_A_LINE),
    Moment(f"before {LabelEvent.PRINTED}", on_paper=True),
    Moment(f"after {LabelEvent.PRINTED}"),
    *around(LabelEvent.UNPROVEN, "half a label"),
    *around(LabelEvent.MISMATCHED, "a wrong label"),
    *around(LabelEvent.BOUND),
    Moment("before the webhook's POST"),
    Moment("in the webhook's hands", tried_by=_WITHOUT_A_LINE),
    Moment("after the webhook's answer", tried_by=_WITHOUT_A_LINE),
    *around(f"delivered to {WEBHOOK}"),
    *around(f"postponed at {WEBHOOK}", "the webhook is down", tried_by=_DOWN),
    *around(f"given up at {WEBHOOK}", "the webhook refuses"),
    Moment("before the PUBLISH"),
    Moment("in the broker's hands"),
    Moment("after the PUBACK"),
    *around(f"delivered to {MQTT}"),
    *around(f"postponed at {MQTT}", "the broker is down"),
)
_AS_AT_A_WEBHOOK = "the pump gives up as at a webhook, and mosquitto refuses no single message for its content"
NOT_TRIED: Mapping[str, str] = {moment.name: _AS_AT_A_WEBHOOK for moment in around(f"given up at {MQTT}")}

IN_THE_TEST_RUN = (
    "half of the label",
    f"before {LabelEvent.PRINTED}",
    f"after {LabelEvent.MISMATCHED}",
    f"before {LabelEvent.BOUND}",
    f"before delivered to {WEBHOOK}",
    "in the broker's hands",
    f"before delivered to {MQTT}",
)
"""Some of those that no other test tries; `make kills` tries them all."""
