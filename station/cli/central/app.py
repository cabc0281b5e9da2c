# SPDX-License-Identifier: Apache-2.0
"""`station central`, put together."""

import typer

from station.cli.central import anomalies, lots, server, stations, units, yields
from station.cli.central.audit import audit
from station.cli.central.join import join

app = typer.Typer(
    help="The ledger that stations share: set it up, look after it, ask it.\n\n"
    "Commands that change something need the owner's address: --dsn, or STATION_CENTRAL_DSN. Questions use "
    "shared.reader of the configuration.",
    no_args_is_help=True,
)
for command in (server.init, server.upgrade, server.status, server.accept_restore):
    app.command()(command)
app.command("open")(server.open_now)
app.add_typer(lots.app, name="lots")
app.command()(lots.approve)
app.add_typer(stations.app, name="stations")
app.command()(stations.retire)
app.command()(join)
app.add_typer(anomalies.app, name="anomalies")
app.command()(audit)
app.command()(server.partitions)
app.add_typer(units.app, name="units")
app.command("yield")(yields.show_yield)
