# SPDX-License-Identifier: Apache-2.0
"""The line's metrics in Prometheus' text format: counters from the ledger since the daemon's start, gauges from its status.

No label is a UID or a serial number: their number would grow with production. The one home of prometheus-client.
"""

from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from station.adapters.ledger.board_reader import LotCounts
from station.adapters.ledger.commit_times import BUCKETS, CommitTimes
from station.adapters.ledger.news_reader import PRINTS, News
from station.domain.attempt import VERDICTS
from station.domain.issuance import EXPIRES_SOON
from station.line.states import SlotState
from station.line.status import MESStatus, SharedStatus, Status

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

_STEP_BUCKETS = (0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120)  # seconds: from a question to a whole upgrade
_ATTEMPT_BUCKETS = (5, 10, 15, 20, 30, 45, 60, 90, 120, 300)
_PKI_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 300, 3600)


class Metrics:
    """All metrics of one daemon, in a registry of their own."""

    def __init__(self, *, version: str, slots: Sequence[str], commits: CommitTimes, printer: str | None = None) -> None:
        """`printer` is that of the recipe's labels."""
        self._registry = registry = CollectorRegistry()
        build = Gauge("station_build_info", "1; the version is a label.", ["version"], registry=registry)
        build.labels(version).set(1)
        self._slot_state = Gauge(
            "station_slot_state",
            "1 for the state that the slot shows, 0 for the others.",
            ["slot", "state"],
            registry=registry,
        )
        self._line_open = Gauge("station_line_open", "Whether the line takes boards.", registry=registry)
        self._line_paused = Gauge(
            "station_line_paused",
            "1 for the fault that pauses the line; no series while none does.",
            ["fault"],
            registry=registry,
        )
        self._attempts = Counter(
            "station_attempts",
            "Attempts with a verdict, without the laboratory's.",
            ["slot", "verdict"],
            registry=registry,
        )
        self._faults = Counter(
            "station_faults",
            "Attempts that ended with a fault, without the laboratory's.",
            ["slot", "fault"],
            registry=registry,
        )
        self._attempt_seconds = Histogram(
            "station_attempt_seconds",
            "Seconds of an attempt.",
            ["verdict"],
            buckets=_ATTEMPT_BUCKETS,
            registry=registry,
        )
        self._step_seconds = Histogram(
            "station_step_seconds",
            "Seconds of a step, in attempts that passed.",
            ["step"],
            buckets=_STEP_BUCKETS,
            registry=registry,
        )
        self._requests = Counter(
            "station_pki_requests", "Answered requests to the PKI.", ["outcome"], registry=registry
        )
        self._request_seconds = Histogram(
            "station_pki_seconds",
            "Seconds until a request to the PKI was answered.",
            buckets=_PKI_BUCKETS,
            registry=registry,
        )
        self._unanswered = Gauge(
            "station_pki_unanswered", "Requests to the PKI without an answer that nobody has closed.", registry=registry
        )
        self._pki_answered = Gauge(
            "station_pki_answered_seconds_ago", "Seconds since the PKI's last answer.", registry=registry
        )
        self._certificate_days = Gauge(
            "station_pki_certificate_days",
            f"Days until the station's own certificate expires; it warns below {EXPIRES_SOON}.",
            registry=registry,
        )
        self._ledger_open = Gauge("station_ledger_open", "Whether the ledger can be written.", registry=registry)
        self._ledger_commits = Gauge(
            "station_ledger_commits", "Commits to the ledger since the start.", registry=registry
        )
        registry.register(_Commits(commits))
        self._lot_units = Gauge(
            "station_lot_units",
            "Units of the lot that have passed, and attempts on its boards that failed.",
            ["lot", "what"],
            registry=registry,
        )
        self._lost_lines = Gauge(
            "station_log_lost_lines", "Lines that a sink of the log has lost.", ["sink"], registry=registry
        )
        self._lag = Gauge(
            "station_loop_lag_seconds", "Lag of the event loop in the last minute.", ["quantile"], registry=registry
        )
        self._clients = Gauge("station_stream_clients", "Open streams of the page.", registry=registry)
        self._andon_up = Gauge(
            "station_andon_up",
            "Whether the lamp's program runs; 1 where the configuration has none.",
            registry=registry,
        )
        self._pending = Gauge("station_outbox_pending", "Messages that wait for the MES.", ["sink"], registry=registry)
        self._oldest = Gauge(
            "station_outbox_oldest_seconds",
            "For how long the oldest waiting message has waited; 0 if none waits.",
            ["sink"],
            registry=registry,
        )
        self._died = Counter(
            "station_outbox_dead", "Messages that were given up since the start.", ["sink"], registry=registry
        )
        self._counted_dead: dict[str, int] = {}
        self._mes_up = Gauge(
            "station_mes_up", "Whether all of the MES answered last; 1 without an MES.", registry=registry
        )
        self._shared = _SharedLedger()
        registry.register(self._shared)
        self._printer = printer
        self._prints = Counter(
            "station_label_prints",
            "Labels that were printed, and those of which nobody knows whether they are on paper.",
            ["printer", "outcome"],
            registry=registry,
        )
        for outcome in PRINTS.values() if printer is not None else ():
            self._prints.labels(printer, outcome)
        for slot in slots:  # so that a rate is known from the first attempt on
            for verdict in VERDICTS.values():
                self._attempts.labels(slot, verdict)

    def count(self, news: News) -> None:
        """Counts what has ended since the last look."""
        for attempt in news.attempts:
            if attempt.laboratory:
                continue
            self._attempts.labels(attempt.slot, attempt.verdict).inc()
            if attempt.fault is not None:
                self._faults.labels(attempt.slot, attempt.fault).inc()
            self._attempt_seconds.labels(attempt.verdict).observe(attempt.seconds)
            if attempt.verdict == "pass":
                for step, seconds in attempt.steps.items():
                    self._step_seconds.labels(step).observe(seconds)
        for request in news.requests:
            self._requests.labels(request.outcome).inc()
            self._request_seconds.observe(request.seconds)
        self._unanswered.set(news.unanswered)
        for outcome in news.prints:
            self._prints.labels(self._printer or "", outcome).inc()

    def count_lot(self, name: str, counts: LotCounts) -> None:
        """What the lot has come to."""
        self._lot_units.labels(name, "passed").set(counts.passed)
        self._lot_units.labels(name, "failed").set(counts.failed)

    def shown(self, status: Status, *, stream_clients: int) -> bytes:
        """The metrics as text, with the daemon's status of this moment."""
        for slot in status.slots:
            for state in SlotState:
                self._slot_state.labels(slot.slot, state.value).set(state.value == slot.state)
        self._line_open.set(status.line.state == "open")
        self._line_paused.clear()
        if status.line.fault is not None:
            self._line_paused.labels(status.line.fault).set(1)
        if status.pki.answered_seconds_ago is not None:
            self._pki_answered.set(status.pki.answered_seconds_ago)
        if status.pki.certificate_days is not None:
            self._certificate_days.set(status.pki.certificate_days)
        self._ledger_open.set(status.ledger.state == "open")
        self._ledger_commits.set(status.ledger.commits)
        for sink in status.log:
            self._lost_lines.labels(sink.sink).set(sink.lost)
        for quantile, seconds in (
            ("0.5", status.loop_lag.p50),
            ("0.99", status.loop_lag.p99),
            ("1", status.loop_lag.max),
        ):
            self._lag.labels(quantile).set(seconds)
        self._clients.set(stream_clients)
        self._andon_up.set(status.andon is None or status.andon.up)
        self._show_mes(status.mes)
        self._shared.status = status.shared
        return generate_latest(self._registry)

    def _show_mes(self, mes: MESStatus | None) -> None:
        self._mes_up.set(mes is None or mes.up)
        for sink in mes.sinks if mes else ():
            self._pending.labels(sink.sink).set(sink.pending)
            self._oldest.labels(sink.sink).set(sink.oldest_seconds)
            self._died.labels(sink.sink).inc(sink.died - self._counted_dead.get(sink.sink, 0))
            self._counted_dead[sink.sink] = sink.died


class _SharedLedger(Collector):
    """How the station stands with the centre; nothing without a shared ledger."""

    def __init__(self) -> None:
        self.status: SharedStatus | None = None

    def collect(self) -> Iterator[GaugeMetricFamily]:
        if (shared := self.status) is None:
            return
        pushed = shared.pushed_at
        for name, text, value in (
            ("up", "Whether the centre of the shared ledger answers and takes this station.", shared.state == "up"),
            ("lines_waiting", "Lines of the journal that the centre has not.", shared.lines_waiting),
            ("items_left", "Units that may begin without the centre.", shared.items_left),
            ("hours_left", "For how many hours they last at the rate of the busiest hour.", shared.hours_left),
            ("last_push_timestamp", "When the centre last took lines.", pushed.timestamp() if pushed else None),
        ):
            if value is not None:
                yield GaugeMetricFamily(f"station_shared_{name}", text, value=float(value))


class _Commits(Collector):
    """The ledger's own counts, as they are at each scrape."""

    def __init__(self, times: CommitTimes) -> None:
        self._times = times

    def collect(self) -> Iterator[HistogramMetricFamily]:
        bounds = [*map(str, BUCKETS), "+Inf"]
        yield HistogramMetricFamily(
            "station_ledger_commit_seconds",
            "Seconds until a group of units of work was durable, with its repetitions.",
            buckets=list(zip(bounds, accumulate(self._times.counts), strict=True)),
            sum_value=self._times.seconds,
        )
