# SPDX-License-Identifier: Apache-2.0
"""The Grafana dashboard and the alert rules ask for metrics and labels that the station has, in PromQL that parses."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import promql_parser
import pytest
import yaml

from station.domain.attempt import VERDICTS
from station.line.states import SlotState
from tests.web.test_metrics import everything, read

DEPLOY = Path(__file__).parents[2] / "config" / "deploy"
DASHBOARD = json.loads((DEPLOY / "grafana-dashboard.json").read_text(encoding="utf-8"))
ALERTS = yaml.safe_load((DEPLOY / "prometheus-alerts.yml").read_text(encoding="utf-8"))
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
# What Grafana puts in their place.
VARIABLES = {"$__rate_interval": "1m", "$__range": "8h", "$station": ".*", "$slot": ".*"}
PROMETHEUS_OWN = {"up": {"job", "instance", "station"}}
OF_THE_SCRAPE = {"station", "job", "instance"}
KNOWN_VALUES = {"verdict": {*VERDICTS.values()}, "state": {state.value for state in SlotState}}


def queries() -> Iterator[tuple[str, str]]:
    """Each query, with where it is."""
    for panel in DASHBOARD["panels"]:
        yield from ((f"{panel['title']} {target['refId']}", target["expr"]) for target in panel["targets"])
    yield from ((each["name"], each["expr"]) for each in DASHBOARD["annotations"]["list"])
    for each in DASHBOARD["templating"]["list"]:
        if found := re.fullmatch(r"label_values\((.*), (\w+)\)", each.get("definition", "")):
            yield each["name"], f"sum by ({found[2]}) ({found[1]})"
    yield from ((rule["alert"], rule["expr"]) for rule in RULES)


QUERIES = dict(queries())


def exported() -> Mapping[str, set[str]]:
    """The labels of each metric of the station."""
    samples = read(everything())
    return {name: {key for labels in found for key, _ in labels} for name, found in samples.items()} | PROMETHEUS_OWN


def parsed(query: str) -> list[object]:
    """All nodes of a query; raises `ValueError` where it is no PromQL."""
    for variable, value in VARIABLES.items():
        query = query.replace(variable, value)
    assert "$" not in query, "a variable that the dashboard does not have"
    found: list[object] = []
    promql_parser.walk(promql_parser.parse(query), found.append)
    return found


@pytest.mark.parametrize("place", QUERIES)
def test_each_query_asks_for_what_there_is(place: str) -> None:
    nodes, known = parsed(QUERIES[place]), exported()
    selectors = [node for node in nodes if isinstance(node, promql_parser.VectorSelector)]
    assert selectors
    labels = set(OF_THE_SCRAPE)
    for selector in selectors:
        assert selector.name is not None
        assert selector.name in known
        labels |= known[selector.name]
        for matcher in selector.matchers.matchers:
            assert matcher.name in known[selector.name] | OF_THE_SCRAPE
            if "*" not in matcher.value:
                assert set(matcher.value.split("|")) <= KNOWN_VALUES.get(matcher.name, {matcher.value})
    for node in nodes:
        if isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None:
            assert set(node.modifier.labels) <= labels


def test_a_query_that_is_no_promql_is_found() -> None:
    with pytest.raises(ValueError, match="parenthesis"):
        parsed("sum(rate(station_attempts_total[5m])")


def test_a_legend_names_labels_that_its_series_have() -> None:
    known = {label for labels in exported().values() for label in labels} | OF_THE_SCRAPE
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            assert {*re.findall(r"{{(\w+)}}", target["legendFormat"])} <= known, panel["title"]
    for rule in RULES:
        named = re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])
        assert set(named) <= known, rule["alert"]


def test_panels_have_numbers_of_their_own_and_do_not_overlap() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(at["x"] + right, at["y"] + down) for right in range(at["w"]) for down in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
