# SPDX-License-Identifier: Apache-2.0
"""`station csr`: checks a board's certificate request as the station does before the PKI sees it."""

from pathlib import Path
from typing import Annotated

import typer

from station.cli.judge import verdicts
from station.cli.judge.certificate import hexadecimal
from station.cli.judge.inputs import REQUEST, JSONOption, ProductOption, VendorOption, read_der
from station.domain.credentials import key_name
from station.faults.unit import CSRInvalid
from station.matter.certificates.chain import check_csr
from station.matter.certificates.csr import read_request

app = typer.Typer(help="Check certificate requests.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Check certificate requests."""


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="PKCS#10, DER or PEM.", show_default=False)],
    vid: VendorOption = None,
    pid: ProductOption = None,
    json_wanted: JSONOption = False,
) -> None:
    """Check form, key and signature of a request, and vendor and product if given."""
    data = read_der(file, REQUEST)
    try:
        check_csr(data, vendor_id=vid, product_id=pid)
    except CSRInvalid as fault:
        verdicts.conclude(fault, "", json_wanted=json_wanted)
        return
    request = read_request(data)
    said = {
        "vendor_id": hexadecimal(request.identifiers.vendor_id),
        "product_id": hexadecimal(request.identifiers.product_id),
        "key_sha256": key_name(request.public_key),
    }
    verdicts.conclude(None, "the PKI may see this request", json_wanted=json_wanted, shown={"request": said})
