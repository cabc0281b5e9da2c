# SPDX-License-Identifier: Apache-2.0
"""The issuing authority: makes one DAC for every request, and writes each to `issued.jsonl` before handing it out."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from development_pki.attestation import BACKDATED, Product, common_name_in, make_dac, make_pai
from development_pki.certificate import Credential, new_key
from development_pki.directory import open_or_make
from development_pki.faults import Fault, Faults
from development_pki.lists import Issued, Lists, issued_by, key_sha256, opened_lists, text_of

__all__ = ["Authority", "Issued", "issued_by", "key_sha256", "opened"]


@dataclass(frozen=True, slots=True)
class Authority:
    """A test PAI at work."""

    directory: Path
    paa: x509.Certificate
    pai: Credential
    other_pai: Credential
    """Another of the same PAA, which the station does not expect."""
    product: Product
    asked: Product
    """The product that requests name; white-label products ask for DACs of another."""
    lists: Lists

    def issue(
        self,
        public_key: ec.EllipticCurvePublicKey,
        station: str,
        faults: Faults,
        request: int = 0,
        subject: x509.Name | None = None,
    ) -> x509.Certificate:
        """Makes a DAC, writes it to the disk, and returns it. It has the common name of the request's subject, if there is one.

        The call blocks the event loop, so that no other request runs between issuing and writing.
        """
        product = self.product.other() if faults.strikes(Fault.WRONG_PRODUCT) else self.product
        begins_in, ends_in = _validity(faults)
        last = self.lists.last_serial_number
        dac = make_dac(
            self.other_pai if faults.strikes(Fault.WRONG_PAI) else self.pai,
            product.of_other_vendor() if faults.strikes(Fault.WRONG_VENDOR) else product,
            new_key().public_key() if faults.strikes(Fault.WRONG_KEY) else public_key,
            begins_in=begins_in,
            ends_in=ends_in,
            serial_number=last if last is not None and faults.strikes(Fault.REPEATED_SERIAL) else None,
            size=int(faults.number(Fault.LARGE, "bytes")) if faults.strikes(Fault.LARGE) else None,
            common_name=common_name_in(subject),
        )
        self.lists.certificate_issued(dac, station, request, None if subject is None else text_of(subject))
        return dac


@contextmanager
def opened(directory: Path, product: Product, asked: Product | None = None) -> Iterator[Authority]:
    """Opens the directory, or makes it, and keeps it locked for the block; raises DirectoryUnusable."""
    paa, pai = open_or_make(directory, product)
    with opened_lists(directory) as lists:
        yield Authority(directory, paa.certificate, pai, make_pai(paa, product), product, asked or product, lists)


def _validity(faults: Faults) -> tuple[timedelta, timedelta | None]:
    """From now, when the DAC begins and when it ends; None: never."""
    begins_in, ends_in = -BACKDATED, None
    if faults.strikes(Fault.SHORT_LIVED):
        ends_in = timedelta(days=faults.number(Fault.SHORT_LIVED, "days"))
    if faults.strikes(Fault.EXPIRED):
        ends_in = -BACKDATED / 2
    if faults.strikes(Fault.BEGINS_SOON):
        begins_in = timedelta(seconds=faults.number(Fault.BEGINS_SOON, "seconds"))
    if faults.strikes(Fault.BEGINS_TOMORROW):
        begins_in = timedelta(days=1)
    if ends_in is not None and ends_in <= begins_in:  # several switches contradict one another
        begins_in = ends_in - BACKDATED
    return begins_in, ends_in
