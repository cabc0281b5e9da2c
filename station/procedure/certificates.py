# SPDX-License-Identifier: Apache-2.0
"""The PKI as one attempt meets it: a sample gets the certificate that it has, and no other one is ever asked for."""

from station.domain.credentials import Credentials, csr_key
from station.domain.target import UID
from station.faults.unit import SampleUncertified
from station.interfaces import AttemptLedger, Authority
from station.recipe.recipe import Recipe


class NoneForSamples:
    """`interfaces.Authority` for an attempt of production. A fixed identity's certificate is asked for as ever."""

    def __init__(self, authority: Authority, ledger: AttemptLedger, recipe: Recipe) -> None:
        self._authority = authority
        self._ledger = ledger
        self._may_be_sample = recipe.given is None

    @property
    def _sample(self) -> bool:
        return self._may_be_sample and self._ledger.attempt.laboratory

    async def check_askable(self, uid: UID) -> None:
        if not self._sample:
            await self._authority.check_askable(uid)

    async def askable(self, uid: UID) -> None:
        if not self._sample:
            await self._authority.askable(uid)

    async def issue_dac(self, csr: bytes, uid: UID) -> Credentials:
        if not self._sample:
            return await self._authority.issue_dac(csr, uid)
        identity = await self._ledger.find_identity(uid)
        credentials = identity.credentials if identity else None
        if credentials is None or credentials.key != csr_key(csr):
            raise SampleUncertified
        return credentials
