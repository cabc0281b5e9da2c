# SPDX-License-Identifier: Apache-2.0
"""The ledger's name for each procedure that a slot may choose."""

from collections.abc import Mapping

from station.domain.attempt import ProcedureName
from station.procedure.choice import Procedure
from station.procedure.provision import provision, reconfirm, redeliver
from station.procedure.without_pki import finish, provision_by_partner

NAMES: Mapping[Procedure, ProcedureName] = {
    provision: ProcedureName.PROVISION,
    redeliver: ProcedureName.REDELIVER,
    reconfirm: ProcedureName.RECONFIRM,
    provision_by_partner: ProcedureName.PROVISION_BY_PARTNER,
    finish: ProcedureName.FINISH,
}
