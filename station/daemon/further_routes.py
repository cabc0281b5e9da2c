# SPDX-License-Identifier: Apache-2.0
"""The page as the configuration wants it: its address, who may read, and the routes besides the operator's page."""

from station.adapters.labels import printers
from station.adapters.ledger.board_reader import BoardReader
from station.adapters.ledger.news_reader import NewsReader
from station.adapters.ledger.reader import LedgerReader
from station.adapters.system import version
from station.config.line import Config
from station.config.web_section import WebSection
from station.daemon.commands import Commands
from station.daemon.page_acts import PageActs
from station.daemon.page_door import PageDoor
from station.daemon.parts import Parts
from station.recipe.recipe import Recipe
from station.web import routes
from station.web.api import Api
from station.web.central import Central
from station.web.certificate import Certificate
from station.web.counted import Counted
from station.web.metrics import Metrics
from station.web.metrics_route import Lot, MetricsRoute
from station.web.pages import Pages
from station.web.pins import PINs
from station.web.reading import Reading
from station.web.site import Routes, Site


def site_of(web: WebSection, door: PageDoor, pins: PINs) -> Site:
    """The page, at an address of this PC alone or of other PCs, too."""
    tls = web.tls
    return Site(
        door,
        web.listen,
        web.hosts,
        certificate=None if tls is None else lambda: Certificate(tls.certificate, tls.key),
        reading=Reading(pins, web.signed_in_hours) if web.needs_people else None,
        hsts_days=0 if tls is None else tls.hsts_days,
    )


def further_routes(parts: Parts, door: PageDoor, site: Site, commands: Commands, pins: PINs) -> list[Routes]:
    """What adds API, metrics and the engineer's pages to the page's application."""
    config, recipe = parts.config, parts.recipe
    plan = recipe.label if isinstance(recipe, Recipe) else None
    ledger, counted = LedgerReader(config.ledger), Counted(config.ledger, config.recipe)
    central = stations_of(config)
    api = Api(door, lambda: site.hub, ledger, pins, PageActs(commands.by_name), counted, central)
    pages = Pages(door, ledger, counted, central)
    metrics = MetricsRoute(
        Metrics(
            version=str(version.running()),
            slots=[slot.name for slot in config.slot],
            commits=parts.ledger.commit_times,
            printer=None if plan is None or plan.printer is None else printers.shown(plan.printer),
        ),
        NewsReader(config.ledger),
        Lot(recipe.lot_name, BoardReader(config.ledger, recipe.lot_name)) if isinstance(recipe, Recipe) else None,
        commands.status,
        lambda: site.hub.listeners,
    )
    return [routes.of(api), metrics.add_to, pages.add_to]


def stations_of(config: Config) -> Central | None:
    """The way to the centre of a shared ledger; None for a station whose ledger is its own."""
    if config.shared is None:
        return None
    from station.daemon.central_page import central_of

    return central_of(config.shared.reader, config.station.name)
