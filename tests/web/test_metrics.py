# SPDX-License-Identifier: Apache-2.0
"""The metrics, as a parser of Prometheus' text format reads them."""

from datetime import UTC, datetime

from prometheus_client.parser import text_string_to_metric_families

from station.adapters.ledger.board_reader import LotCounts
from station.adapters.ledger.commit_times import CommitTimes
from station.adapters.ledger.news_reader import EndedAttempt, EndedRequest, News
from station.line.loop_lag import LoopLagStatus
from station.line.status import (
    LedgerStatus,
    LineStatus,
    LogStatus,
    MESStatus,
    PKIStatus,
    SharedStatus,
    SinkStatus,
    SlotStatus,
    Status,
)
from station.web.metrics import Metrics

Samples = dict[str, dict[tuple[tuple[str, str], ...], float]]
ODD = 'slot "4"\n\\'


def slot(name: str, state: str) -> SlotStatus:
    return SlotStatus(
        slot=name,
        state=state,
        service="in",
        path="",
        probe=None,
        tty=None,
        attempt=None,
        step=None,
        verdict=None,
        uid="00" * 12,
        fault=None,
        reason=None,
        held=None,
        seconds=0.0,
        steps={},
    )


def status(*slots: SlotStatus, fault: str | None = None, days: int | None = None) -> Status:
    return Status(
        station="line-1",
        pid=1,
        seconds=60.0,
        recipe="lighting",
        line=LineStatus(state="paused" if fault else "open", fault=fault, reason=fault),
        pki=PKIStatus(url="https://pki", answered_seconds_ago=4.5, fault=None, certificate_days=days),
        ledger=LedgerStatus(state="open", path="ledger.sqlite", commits=7, reason=None),
        transcripts_lost=0,
        log=[LogStatus(sink="stdout", lost=3, waiting=0, fault=None)],
        loop_lag=LoopLagStatus.of([0.001, 0.002, 0.5]),
        slots=list(slots),
    )


def read(text: bytes) -> Samples:
    found: Samples = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def attempt(slot: str, verdict: str, fault: str | None = None, *, laboratory: bool = False) -> EndedAttempt:
    return EndedAttempt(slot, verdict, fault, 20.0, {"recognise": 1.0, "confirm": 3.0}, laboratory)


def test_attempts_and_requests_are_counted() -> None:
    """The laboratory's are not, and steps are timed in attempts that passed."""
    metrics = Metrics(version="1.0", slots=["1", ODD], commits=CommitTimes())
    before = read(metrics.shown(status(), stream_clients=0))
    assert before["station_attempts_total"][("slot", ODD), ("verdict", "fail")] == 0
    for _ in range(2):
        metrics.count(
            News(
                (
                    attempt("1", "pass"),
                    attempt(ODD, "fail", "board.silent"),
                    attempt("1", "void", "tty.lost"),
                    attempt("1", "fail", "board.silent", laboratory=True),
                ),
                (EndedRequest("issued", 0.3), EndedRequest("rejected", 40.0)),
                unanswered=5,
            )
        )
    samples = read(metrics.shown(status(), stream_clients=0))
    counted = {key: value for key, value in samples["station_attempts_total"].items() if value}
    assert counted == {
        (("slot", "1"), ("verdict", "pass")): 2,
        (("slot", "1"), ("verdict", "void")): 2,
        (("slot", ODD), ("verdict", "fail")): 2,
    }
    assert samples["station_faults_total"] == {
        (("fault", "board.silent"), ("slot", ODD)): 2,
        (("fault", "tty.lost"), ("slot", "1")): 2,
    }
    assert samples["station_step_seconds_count"] == {(("step", "recognise"),): 2, (("step", "confirm"),): 2}
    assert samples["station_step_seconds_bucket"][("le", "2.0"), ("step", "confirm")] == 0
    assert samples["station_step_seconds_bucket"][("le", "4.0"), ("step", "confirm")] == 2
    assert samples["station_attempt_seconds_sum"][(("verdict", "pass"),)] == 40
    assert samples["station_pki_requests_total"] == {(("outcome", "issued"),): 2, (("outcome", "rejected"),): 2}
    assert samples["station_pki_seconds_count"][()] == 4
    assert samples["station_pki_unanswered"][()] == 5


def test_gauges_show_the_status_of_the_moment() -> None:
    """A pause that has ended leaves no series behind, and no label is a UID."""
    metrics = Metrics(version="1.0", slots=["1", "2"], commits=CommitTimes())
    text = metrics.shown(
        status(slot("1", "running"), slot("2", "empty"), fault="pki.unavailable", days=-3), stream_clients=2
    )
    samples = read(text)
    shown = {key for key, value in samples["station_slot_state"].items() if value}
    assert shown == {(("slot", "1"), ("state", "running")), (("slot", "2"), ("state", "empty"))}
    assert samples["station_line_open"][()] == 0
    assert samples["station_line_paused"] == {(("fault", "pki.unavailable"),): 1}
    assert samples["station_pki_answered_seconds_ago"][()] == 4.5
    assert samples["station_pki_certificate_days"][()] == -3
    assert samples["station_ledger_commits"][()] == 7
    assert samples["station_log_lost_lines"][(("sink", "stdout"),)] == 3
    assert samples["station_loop_lag_seconds"][(("quantile", "1"),)] == 0.5
    assert samples["station_stream_clients"][()] == 2
    assert samples["station_build_info"][(("version", "1.0"),)] == 1
    assert "00" * 12 not in text.decode()

    samples = read(metrics.shown(status(slot("1", "pass"), slot("2", "empty")), stream_clients=0))
    assert "station_line_paused" not in samples
    assert samples["station_line_open"][()] == 1
    assert samples["station_slot_state"][(("slot", "1"), ("state", "pass"))] == 1
    assert samples["station_slot_state"][(("slot", "1"), ("state", "running"))] == 0


def test_prints_of_labels_are_counted_by_printer_and_outcome() -> None:
    """From the start on; without a printer in the recipe there are none."""
    printer = "tcp://printer:9100"
    metrics = Metrics(version="1.0", slots=["1"], commits=CommitTimes(), printer=printer)
    before = read(metrics.shown(status(), stream_clients=0))["station_label_prints_total"]
    assert set(before.values()) == {0}
    metrics.count(News(prints=("printed", "unproven", "printed")))
    assert read(metrics.shown(status(), stream_clients=0))["station_label_prints_total"] == {
        (("outcome", "printed"), ("printer", printer)): 2,
        (("outcome", "unproven"), ("printer", printer)): 1,
    }
    without = Metrics(version="1.0", slots=["1"], commits=CommitTimes())
    assert "station_label_prints_total" not in read(without.shown(status(), stream_clients=0))


LABELS = {
    "printer",
    "slot",
    "state",
    "fault",
    "verdict",
    "step",
    "outcome",
    "sink",
    "lot",
    "what",
    "quantile",
    "version",
    "le",
}


SHARED = SharedStatus(
    state="up",
    reason=None,
    pushed_at=datetime(2026, 11, 26, 12, tzinfo=UTC),
    pushed_seconds_ago=0.5,
    lines_waiting=3,
    lot="LOT-7",
    items_left=900,
    items_held=1024,
    hours_left=4.5,
)


def everything() -> bytes:
    """The metrics of a line on which everything has happened once."""
    commits = CommitTimes()
    commits.add(0.004)
    metrics = Metrics(version="1.0", slots=["1"], commits=commits, printer="cups:label")
    news = (attempt("1", "pass"), attempt("1", "fail", "board.silent"))
    metrics.count(News(news, (EndedRequest("issued", 0.3),), unanswered=1, prints=("printed",)))
    metrics.count_lot("LOT-7", LotCounts(passed=4, failed=1))
    now = status(slot("1", "pass"), fault="pki.unavailable", days=9).model_copy(update={"shared": SHARED})
    return metrics.shown(now, stream_clients=1)


def test_no_label_names_a_unit() -> None:
    """Their number would grow with production: each label has as many values as the line has slots, faults and steps."""
    labels = {label for samples in read(everything()).values() for labels in samples for label, _ in labels}
    assert labels == LABELS


def test_a_commit_is_counted_in_every_bucket_that_it_fits_in() -> None:
    samples = read(everything())
    buckets = {dict(labels)["le"]: count for labels, count in samples["station_ledger_commit_seconds_bucket"].items()}
    assert (buckets["0.0025"], buckets["0.005"], buckets["60.0"], buckets["+Inf"]) == (0, 1, 1, 1)
    assert samples["station_ledger_commit_seconds_count"][()] == 1
    assert samples["station_ledger_commit_seconds_sum"][()] == 0.004
    assert samples["station_lot_units"] == {
        (("lot", "LOT-7"), ("what", "failed")): 1,
        (("lot", "LOT-7"), ("what", "passed")): 4,
    }


def test_the_outbox_is_shown_by_receiver_and_its_dead_are_counted() -> None:
    """What was given up before stays counted after somebody has dropped it."""
    metrics = Metrics(version="1.0", slots=["1"], commits=CommitTimes())
    assert read(metrics.shown(status(), stream_clients=0))["station_mes_up"][()] == 1
    for pending, dead, died in ((3, 2, 2), (0, 0, 2), (1, 1, 3)):
        sink = SinkStatus(
            sink="webhook", up=False, pending=pending, oldest_seconds=pending * 60.0, dead=dead, died=died
        )
        mes = MESStatus(up=False, route_up=None, late=dead, sinks=[sink])
        samples = read(metrics.shown(status().model_copy(update={"mes": mes}), stream_clients=0))
        of_webhook = (("sink", "webhook"),)
        assert samples["station_outbox_pending"] == {of_webhook: pending}
        assert samples["station_outbox_oldest_seconds"] == {of_webhook: pending * 60}
        assert samples["station_outbox_dead_total"] == {of_webhook: died}
        assert samples["station_mes_up"][()] == 0


def test_a_shared_ledger_is_shown_and_its_absence_is_no_series() -> None:
    found = {name: value[()] for name, value in read(everything()).items() if name.startswith("station_shared_")}
    assert found == {
        "station_shared_up": 1,
        "station_shared_lines_waiting": 3,
        "station_shared_items_left": 900,
        "station_shared_hours_left": 4.5,
        "station_shared_last_push_timestamp": SHARED.pushed_at.timestamp() if SHARED.pushed_at else 0,
    }
    without = Metrics(version="1.0", slots=["1"], commits=CommitTimes())
    assert not any(name.startswith("station_shared_") for name in read(without.shown(status(), stream_clients=0)))
