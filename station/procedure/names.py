# SPDX-License-Identifier: Apache-2.0
"""The name that the ledger stores for each procedure."""

from collections.abc import Mapping

from station.domain.attempt import ProcedureName
from station.procedure.choice import Procedure
from station.procedure.in_ram import provision_in_ram, redeliver_in_ram, resume_in_ram
from station.procedure.provision import provision, reconfirm, redeliver, resume
from station.procedure.without_pki import finish, provision_by_partner

NAMES: Mapping[Procedure, ProcedureName] = {
    provision: ProcedureName.PROVISION,
    redeliver: ProcedureName.REDELIVER,
    resume: ProcedureName.RESUME,
    provision_in_ram: ProcedureName.PROVISION_IN_RAM,
    redeliver_in_ram: ProcedureName.REDELIVER_IN_RAM,
    resume_in_ram: ProcedureName.RESUME_IN_RAM,
    reconfirm: ProcedureName.RECONFIRM,
    provision_by_partner: ProcedureName.PROVISION_BY_PARTNER,
    finish: ProcedureName.FINISH,
}
