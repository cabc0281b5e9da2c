# SPDX-License-Identifier: Apache-2.0
"""The name of each procedure that a slot may choose, as the ledger has it."""

from collections.abc import Awaitable, Callable, Mapping

from station.domain.attempt import ProcedureName
from station.interfaces import Job, Recognised
from station.procedure.provision import provision, reconfirm, redeliver
from station.procedure.without_pki import finish, provision_by_partner

NAMES: Mapping[Callable[[Job, Recognised], Awaitable[None]], ProcedureName] = {
    provision: ProcedureName.PROVISION,
    redeliver: ProcedureName.REDELIVER,
    reconfirm: ProcedureName.RECONFIRM,
    provision_by_partner: ProcedureName.PROVISION_BY_PARTNER,
    finish: ProcedureName.FINISH,
}
