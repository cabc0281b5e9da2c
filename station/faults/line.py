# SPDX-License-Identifier: Apache-2.0
"""Faults of the equipment and services that all slots share: the attempt is void and the line pauses. Pure."""

from dataclasses import dataclass

from station.faults import LineFault


@dataclass(eq=False)
class ProgrammerMissing(LineFault):
    """STM32CubeProgrammer cannot be started: check its installation and the path in the configuration."""

    code = "programmer.missing"
    path: str
    reason: str


@dataclass(eq=False)
class FlashLoaderMissing(LineFault):
    """STM32CubeProgrammer cannot load a flash loader: repair its installation, or correct the external loader in the configuration."""

    code = "programmer.loader_missing"
    reason: str


@dataclass(eq=False)
class LineSuspected(LineFault):
    """Several slots had the same fault in a short time: check the equipment that they share, then run `station slots release --all`."""

    code = "line.suspected"
    cause: str


@dataclass(eq=False)
class UnitTwice(LineFault):
    """Two slots report the same microcontroller: check their probes and cables, then run `station slots release --all`."""

    code = "unit.twice"
    uid: str
    slots: str


@dataclass(eq=False)
class PartnerUnusable(LineFault):
    """The partner's script cannot be used."""

    code = "partner.unusable"
    script: str
    reason: str


@dataclass(eq=False)
class SecretFilesUnavailable(LineFault):
    """There is no place in memory for files that hold secrets: give the daemon a runtime directory on tmpfs."""

    code = "station.secret_files"
    place: str
    reason: str


@dataclass(eq=False)
class ResourcesExhausted(LineFault):
    """The operating system has no more file descriptors, processes, memory or disk space for the station."""

    code = "station.resources"
    call: str
    reason: str


@dataclass(eq=False)
class ClockContradicted(LineFault):
    """This computer's clock differs by over a day from the ledger's last entry or the PKI's time: set the clock. If the clock is right and the ledger wrong, release the line."""

    code = "station.clock"
    clock: str
    by: str
    time: str


@dataclass(eq=False)
class FactoryDataInvalid(LineFault):
    """The factory data cannot be built or read."""

    code = "factory_data.invalid"
    place: str
    reason: str


@dataclass(eq=False)
class KeyStorageWrong(LineFault):
    """The provisioning firmware keeps the key in another place than the recipe requires."""

    code = "recipe.key_storage"
    expected: str
    found: str


@dataclass(eq=False)
class StackImageRefused(LineFault):
    """The coprocessor does not accept the wireless stack's image as ST's: check the recipe's file and address."""

    code = "coprocessor.image_refused"
    line: str


@dataclass(eq=False)
class LotExhausted(LineFault):
    """The lot has no serial number left."""

    code = "lot.exhausted"
    lot: str


@dataclass(eq=False)
class SerialNumberTaken(LineFault):
    """The lot's next serial number belongs to another unit: two lots overlap."""

    code = "lot.overlap"
    lot: str
    serial_number: str


@dataclass(eq=False)
class LotFull(LineFault):
    """The work order has all its units: close it and open the next. Units that have begun go on."""

    code = "lot.full"
    lot: str
    planned: int


@dataclass(eq=False)
class LotNotOpen(LineFault):
    """No work order is open: `station lots open`. Units that have begun go on."""

    code = "lot.not_open"
    newest: str


@dataclass(eq=False)
class SamplesAreDue(LineFault):
    """The samples are due, and other boards wait: plug in all samples."""

    code = "samples.due"
    why: str
    met: str


@dataclass(eq=False)
class LotRecipeChanged(LineFault):
    """The work order is for another recipe, or for an older state of it: put that back, or open another order."""

    code = "lot.recipe_changed"
    lot: str
    expected: str
    found: str


@dataclass(eq=False)
class PKIUnavailable(LineFault):
    """The PKI does not answer."""

    code = "pki.unavailable"
    url: str
    reason: str


@dataclass(eq=False)
class PKIAnswersLost(LineFault):
    """The PKI's answers for several boards in a row were lost: have the PKI looked at. The line resumes when the request of one board is answered."""

    code = "pki.answers_lost"
    url: str
    boards: int


@dataclass(eq=False)
class PKIRefusedStation(LineFault):
    """The PKI does not accept this station: check the station's client certificate, and its secret if the PKI asks for one."""

    code = "pki.refused_station"
    url: str
    reason: str


@dataclass(eq=False)
class PKIForbidden(LineFault):
    """The PKI knows this station, but does not allow it to enrol: ask the PKI for the right to enrol for other devices."""

    code = "pki.forbidden"
    url: str
    reason: str


@dataclass(eq=False)
class PKIAddressWrong(LineFault):
    """The PKI's server has no such service at this address: check the URL."""

    code = "pki.address_wrong"
    url: str
    reason: str


@dataclass(eq=False)
class PKIProtocolWrong(LineFault):
    """Station and PKI do not understand one another: check the URL and the lowest TLS version."""

    code = "pki.protocol_wrong"
    url: str
    reason: str


@dataclass(eq=False)
class PKIUntrusted(LineFault):
    """The PKI's server is not the one that is configured: its certificate does not verify."""

    code = "pki.untrusted"
    url: str
    reason: str


@dataclass(eq=False)
class PKIAnswerInvalid(LineFault):
    """The PKI's answer is not a certificate for the requested key."""

    code = "pki.answer_invalid"
    url: str
    reason: str


@dataclass(eq=False)
class PKIFileUnusable(LineFault):
    """A certificate or key that the connection to the PKI needs cannot be used."""

    code = "pki.file_unusable"
    file: str
    reason: str


@dataclass(eq=False)
class PKIAuthorityWrong(LineFault):
    """The PKI issues under another PAI than the line's configuration names."""

    code = "pki.authority_wrong"
    url: str
    expected: str


@dataclass(eq=False)
class PKIAuthoritiesInvalid(LineFault):
    """The PKI shows no list of its authorities that can be read: check the URL, or the program that asks the PKI, and have the PKI looked at."""

    code = "pki.authorities_invalid"
    url: str
    reason: str


@dataclass(eq=False)
class CredentialsInvalid(LineFault):
    """The PKI issued a certificate that a commissioner or the recipe refuses."""

    code = "pki.credentials_invalid"
    rule: str
    reason: str


# The faults of the PKI, which pause the line.
PKI_FAULTS = (
    PKIUnavailable,
    PKIAnswersLost,
    PKIRefusedStation,
    PKIForbidden,
    PKIAddressWrong,
    PKIProtocolWrong,
    PKIUntrusted,
    PKIAnswerInvalid,
    PKIFileUnusable,
    PKIAuthorityWrong,
    PKIAuthoritiesInvalid,
    CredentialsInvalid,
)

# The faults of a request that provably brought no certificate: it was refused, or never sent.
NOTHING_ISSUED = (
    PKIRefusedStation,
    PKIForbidden,
    PKIAddressWrong,
    PKIProtocolWrong,
    PKIUntrusted,
    PKIFileUnusable,
    ResourcesExhausted,
)


@dataclass(eq=False)
class DeclarationInvalid(LineFault):
    """A commissioner would refuse the certification declaration, or refuse it for this product."""

    code = "cd.invalid"
    rule: str
    reason: str


@dataclass(eq=False)
class OnboardingCodeInvalid(LineFault):
    """A commissioner would refuse the onboarding code."""

    code = "label.code_invalid"
    reason: str


@dataclass(eq=False)
class PrinterNotReady(LineFault):
    """The label printer is not ready: check labels, ribbon and head. The unit's pass stands, and its label waits."""

    code = "label.printer_not_ready"
    printer: str
    reason: str


@dataclass(eq=False)
class TrustUnreadable(LineFault):
    """A file of the trust store cannot be used."""

    code = "trust.unreadable"
    reason: str


@dataclass(eq=False)
class PAIRevoked(LineFault):
    """The PAI is revoked, so commissioners refuse every unit under it: have the PKI issue under another PAI, put that into the configuration and restart."""

    code = "trust.pai_revoked"
    serial_number: str


@dataclass(eq=False)
class SlotTaken(LineFault):
    """Another station on this machine uses this slot: stop it, or remove the slot from one of the configurations."""

    code = "slot.taken"
    path: str
    holder: str


@dataclass(eq=False)
class LedgerUnavailable(LineFault):
    """The ledger cannot be opened or written."""

    code = "ledger.unavailable"
    reason: str


@dataclass(eq=False)
class LedgerMoved(LineFault):
    """The ledger was replaced or moved since this station last used it: see "A ledger put back" in the run book."""

    code = "ledger.moved"
    reason: str


@dataclass(eq=False)
class LedgerRolledBack(LineFault):
    """A signed checkpoint is newer than the ledger, or of another: the line stays closed until an engineer says `station audit accept`."""

    code = "ledger.rolled_back"
    reason: str


@dataclass(eq=False)
class LedgerLost(LineFault):
    """The ledger's files were moved or replaced while the station uses them: put them back, or see "A ledger put back" in the run book."""

    code = "ledger.lost"
    file: str
    reason: str


@dataclass(eq=False)
class LedgerDamaged(LineFault):
    """The ledger's file is damaged: stop the daemon and put a backup back."""

    code = "ledger.damaged"
    file: str
    reason: str


@dataclass(eq=False)
class MESUnavailable(LineFault):
    """The MES does not say whether boards belong here, and this line waits for it: have the MES and the network looked at."""

    code = "mes.unavailable"
    url: str
    reason: str


@dataclass(eq=False)
class MESBacklog(LineFault):
    """Too many messages wait for the MES, and this line is to stop for that: have the MES and the network looked at."""

    code = "mes.backlog"
    pending: int
    limit: int


@dataclass(eq=False)
class LeaseExhausted(LineFault):
    """The station has no serial number or passcode left that the centre has given it: it goes on as soon as the centre gives more."""

    code = "lease.exhausted"
    lot: str
    reason: str


@dataclass(eq=False)
class ReleaseNotApproved(LineFault):
    """Nobody has approved this release of the product for the lot: have it approved with `station central approve`, or put the approved recipe and images back."""

    code = "recipe.not_approved"
    lot: str
    release: str


@dataclass(eq=False)
class LedgerFenced(LineFault):
    """Another ledger has taken this station's place at the centre: stop one of the two computers."""

    code = "ledger.fenced"
    station: str


@dataclass(eq=False)
class LedgerForked(LineFault):
    """The centre has other entries of this ledger than the ledger itself: stop the station, and compare both with `station central audit`."""

    code = "ledger.forked"
    line: int


@dataclass(eq=False)
class CentreUnusable(LineFault):
    """The shared ledger's centre answers, and refuses this station: its set-up must be mended."""

    code = "shared.refused"
    reason: str


@dataclass(eq=False)
class CentreAwaited(LineFault):
    """This station may not begin before the shared ledger's centre has said that its ledger is the newest: the line goes on as soon as it answers."""

    code = "shared.awaited"
    reason: str
