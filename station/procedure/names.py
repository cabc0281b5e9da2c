# SPDX-License-Identifier: Apache-2.0
"""The name that the ledger stores for each procedure."""

from collections.abc import Mapping

from station.domain.attempt import ProcedureName
from station.procedure.choice import Procedure
from station.procedure.provision import provision, reconfirm, redeliver, resume
from station.procedure.without_pki import finish, provision_by_partner

NAMES: Mapping[Procedure, ProcedureName] = {
    provision: ProcedureName.PROVISION,
    redeliver: ProcedureName.REDELIVER,
    resume: ProcedureName.RESUME,
    reconfirm: ProcedureName.RECONFIRM,
    provision_by_partner: ProcedureName.PROVISION_BY_PARTNER,
    finish: ProcedureName.FINISH,
}
