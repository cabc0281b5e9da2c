# SPDX-License-Identifier: Apache-2.0
"""The daemon's routes besides the operator's page: the API, the metrics and the engineer's pages."""

from station.adapters.ledger.news_reader import NewsReader
from station.adapters.ledger.reader import LedgerReader
from station.adapters.system import version
from station.adapters.system.people_file import PeopleFile
from station.config.line import Config
from station.daemon.commands import Commands
from station.daemon.page_acts import PageActs
from station.daemon.page_door import PageDoor
from station.web.api import Api
from station.web.counted import Counted
from station.web.metrics import Metrics
from station.web.metrics_route import MetricsRoute
from station.web.pages import Pages
from station.web.site import Routes, Site


def further_routes(config: Config, door: PageDoor, site: Site, commands: Commands) -> list[Routes]:
    """What adds them to the page's application."""
    ledger, counted = LedgerReader(config.ledger), Counted(config.ledger, config.recipe)
    api = Api(door, lambda: site.hub, ledger, PeopleFile(config.people_file), PageActs(commands.by_name), counted)
    pages = Pages(door, ledger, counted)
    metrics = MetricsRoute(
        Metrics(version=str(version.running()), slots=[slot.name for slot in config.slot]),
        NewsReader(config.ledger),
        commands.status,
        lambda: site.hub.listeners,
    )
    return [api.add_to, metrics.add_to, pages.add_to]
