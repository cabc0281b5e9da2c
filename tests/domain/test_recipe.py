# SPDX-License-Identifier: Apache-2.0
"""A recipe's factory data and its options, and the comparison of the label with the read-back."""

from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from station.domain.credentials import Credentials
from station.domain.identity import Identity, IdentityState, OnboardingSecrets
from station.domain.product import CommonName, KeyStorage, Strings, TrustAnchors
from station.domain.target import RDP_LEVEL_0, RDP_LEVEL_1, UID, Target
from station.factory_data import flat_tlv
from station.factory_data.flash import Locked, NotRead, read_back
from station.factory_data.flat_tlv import FactoryData, Tag
from station.faults.line import CredentialsInvalid, KeyStorageWrong
from station.faults.unit import (
    CertificateUnfit,
    CSRInvalid,
    KeyChanged,
    OperationalIdentityWrong,
    ReadbackDiffers,
    ReadbackInvalid,
    ReadbackRefused,
    TargetLocked,
    VerifierWrong,
)
from station.matter.onboarding import codes
from station.matter.onboarding.passcode import Discriminator, Passcode
from station.recipe import checks, unit_builder
from station.recipe.commissioner import Commissioner
from station.recipe.recipe import Delivery, OwnPKI, Recipe
from tests.builders.bench import RECIPE
from tests.builders.forge import COMMON_NAME, DAC, DAC_KEY, PAA, PAI, VENDOR, Forged, ForgedRequest, name, utc
from tests.builders.forge import PRODUCT as PRODUCT_ID
from tests.builders.forge_unit import EXAMINATION, RECORDS

READ_AS_STRINGS = (Tag.VENDOR_NAME, Tag.PRODUCT_NAME, Tag.SERIAL_NUMBER)
GIVEN = (Tag.DEVICE_ATTESTATION_CERTIFICATE, Tag.PAI_CERTIFICATE, Tag.DEVICE_ATTESTATION_PUB_KEY)
PRODUCT = (
    Tag.CERTIFICATION_DECLARATION,
    Tag.VENDOR_NAME,
    Tag.VENDOR_ID,
    Tag.PRODUCT_NAME,
    Tag.PRODUCT_ID,
    Tag.HARDWARE_VERSION,
    Tag.HARDWARE_VERSION_STRING,
)
COMMISSIONER = Commissioner(EXAMINATION.trust, EXAMINATION.production, EXAMINATION.product)
PLAIN: Recipe = replace(
    RECIPE, product={tag: RECORDS[tag] for tag in PRODUCT}, certification=OwnPKI(TrustAnchors(b"", b""), COMMISSIONER)
)
CREDENTIALS = Credentials(DAC.der, PAI.der)
IDENTITY = Identity(
    uid=UID(bytes(12)),
    ordinal=1,
    attempts=1,
    state=IdentityState.RESERVED,
    serial_number="LT2600000001",
    secrets=OnboardingSecrets(
        Passcode(20202021), Discriminator(3840), RECORDS[Tag.SPAKE2_SALT], 1000, RECORDS[Tag.SPAKE2_VERIFIER]
    ),
    manufacturing_date="20261122",
    credentials=CREDENTIALS,
    rotating_device_id="00112233445566778899aabbccddeeff",
)


def written(recipe: Recipe, identity: Identity = IDENTITY) -> dict[Tag, bytes]:
    """The factory data that the station writes before there is a certificate."""
    content = unit_builder.factory_data_write(recipe, identity).content
    return dict(flat_tlv.decode(content).records)


def finished(recipe: Recipe, **changed: bytes) -> FactoryData:
    """The board's flash with certificate and key."""
    given = {*GIVEN, *((Tag.DEVICE_ATTESTATION_PRIV_KEY,) if recipe.key_storage is KeyStorage.FLASH else ())}
    spoiled = {Tag[name]: value for name, value in changed.items()}
    return FactoryData({**written(recipe), **{tag: RECORDS[tag] for tag in given}, **spoiled})


def test_by_default_the_block_is_as_the_tool_of_st_writes_it() -> None:
    """The block has the passcode, and no NUL behind strings."""
    assert written(PLAIN) == {
        tag: value for tag, value in RECORDS.items() if tag not in {*GIVEN, Tag.DEVICE_ATTESTATION_PRIV_KEY}
    }


def test_strings_can_end_in_nul() -> None:
    """This changes only the three strings that firmware on newer SDKs reads past their end."""
    plain, terminated = written(PLAIN), written(replace(PLAIN, strings=Strings.TERMINATED))
    assert {tag for tag in plain if plain[tag] != terminated[tag]} == set(READ_AS_STRINGS)
    assert all(terminated[tag] == plain[tag] + b"\0" for tag in READ_AS_STRINGS)


def test_the_passcode_can_be_left_out_of_the_flash() -> None:
    """The verifier stays, since the unit checks a passcode with it."""
    found = written(replace(PLAIN, passcode_in_flash=False))
    assert set(written(PLAIN)) - set(found) == {Tag.SPAKE2_SETUP_PASSCODE}


def test_an_identity_without_rotating_device_id_gets_none() -> None:
    """The identity was reserved before such ids existed, and its board must keep the intended data."""
    found = written(PLAIN, replace(IDENTITY, rotating_device_id=None))
    assert set(written(PLAIN)) - set(found) == {Tag.ROTATING_DEVICE_ID}


@pytest.mark.parametrize("strings", Strings)
@pytest.mark.parametrize("passcode_in_flash", [True, False])
@pytest.mark.parametrize("key_storage", KeyStorage)
def test_every_form_of_the_block_is_confirmed(
    strings: Strings, passcode_in_flash: object, key_storage: KeyStorage
) -> None:
    """The read-back is compared, checked against its label, and examined as a whole."""
    recipe = replace(PLAIN, strings=strings, passcode_in_flash=bool(passcode_in_flash), key_storage=key_storage)
    data = finished(recipe)
    checks.check_readback(recipe, IDENTITY, CREDENTIALS, data)
    checks.check_commissionable(recipe, IDENTITY, data, EXAMINATION.at)
    checks.check_flash(recipe, IDENTITY, CREDENTIALS, read_back(flat_tlv.encode(data)), EXAMINATION.at)


def test_the_label_tells_product_discriminator_and_passcode() -> None:
    """The values are those of the recipe and of the identity."""
    payload = unit_builder.onboarding_payload(replace(PLAIN, product_id=0x8001), IDENTITY)
    assert codes.manual_code(payload) == "34970112332"
    assert codes.qr_code(payload) == "MT:-24J042C00KA0648G00"


@pytest.mark.parametrize(
    ("name", "value"), [("VENDOR_ID", b"\xf2\xff"), ("PRODUCT_ID", b"\x05\x80"), ("SETUP_DISCRIMINATOR", b"\x01\x00")]
)
def test_a_label_of_another_unit_is_refused(name: str, value: bytes) -> None:
    """With a wrong label, a commissioner would look for another unit."""
    with pytest.raises(ReadbackDiffers) as caught:
        checks.check_commissionable(PLAIN, IDENTITY, finished(PLAIN, **{name: value}), EXAMINATION.at)
    assert caught.value.evidence == {"record": name}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SPAKE2_VERIFIER", RECORDS[Tag.SPAKE2_VERIFIER][:-1] + b"\0"),
        ("SPAKE2_SALT", b"another salt, so"),
        ("SPAKE2_ITERATION_COUNT", (1001).to_bytes(4, "little")),
    ],
)
def test_a_board_that_would_refuse_the_labels_passcode_is_refused(name: str, value: bytes) -> None:
    """The verifier is recomputed with the salt and iterations that were read back."""
    with pytest.raises(VerifierWrong):
        checks.check_commissionable(PLAIN, IDENTITY, finished(PLAIN, **{name: value}), EXAMINATION.at)


def test_a_board_whose_flash_has_another_passcode_than_its_label_is_refused() -> None:
    """The verifier is the label's, and the passcode beside it another's."""
    flash = finished(replace(PLAIN, passcode_in_flash=True), SPAKE2_SETUP_PASSCODE=(34567890).to_bytes(4, "little"))
    with pytest.raises(ReadbackRefused):
        checks.check_commissionable(PLAIN, IDENTITY, flash, EXAMINATION.at)


def test_a_board_without_verifier_is_refused() -> None:
    """A missing verifier is refused as a wrong one is."""
    records = dict(finished(PLAIN).records)
    del records[Tag.SPAKE2_VERIFIER]
    with pytest.raises(VerifierWrong):
        checks.check_commissionable(PLAIN, IDENTITY, FactoryData(records), EXAMINATION.at)


def test_a_board_that_a_commissioner_refuses_is_refused() -> None:
    """The board's certificate is not valid yet."""
    flash = finished(PLAIN)
    with pytest.raises(ReadbackRefused) as caught:
        checks.check_commissionable(PLAIN, IDENTITY, flash, EXAMINATION.at - timedelta(days=36500))
    assert caught.value.rule == "K6"


def test_a_certificate_that_begins_within_ten_minutes_is_good() -> None:
    """An authority's clock may be fast; a certificate that begins later is refused."""
    begins = x509.load_der_x509_certificate(DAC.der).not_valid_before_utc
    flash, ahead = finished(PLAIN), timedelta(minutes=10)
    checks.check_commissionable(PLAIN, IDENTITY, flash, begins - ahead)
    with pytest.raises(ReadbackRefused) as caught:
        checks.check_commissionable(PLAIN, IDENTITY, flash, begins - ahead - timedelta(seconds=1))
    assert caught.value.rule == "K6"


def test_only_a_locked_board_is_confirmed_without_its_flash() -> None:
    """An empty or damaged flash fails the board; flash that nobody has read is a mistake of the procedure."""
    checks.check_flash(PLAIN, IDENTITY, CREDENTIALS, Locked(), EXAMINATION.at)
    for data in (b"\xff" * 64, bytes(64)):
        with pytest.raises(ReadbackInvalid):
            checks.check_flash(PLAIN, IDENTITY, CREDENTIALS, read_back(data), EXAMINATION.at)
    with pytest.raises(ValueError, match="NotRead"):
        checks.check_flash(PLAIN, IDENTITY, CREDENTIALS, NotRead(), EXAMINATION.at)


@pytest.mark.parametrize(
    ("answers", "confirmed", "protection", "refused"),
    [
        (frozenset({"identity", "proof"}), True, RDP_LEVEL_1, False),
        (frozenset({"identity", "proof"}), False, RDP_LEVEL_1, True),
        (frozenset(), True, RDP_LEVEL_1, True),
        (frozenset(), False, RDP_LEVEL_0, False),
    ],
)
def test_a_locked_board_must_be_confirmed_and_able_to_answer(
    answers: frozenset[str], protection: int, *, confirmed: bool, refused: bool
) -> None:
    """The flash of a locked board proves nothing: without answers it could be another product's."""
    target = Target(IDENTITY.uid, 0x495, "Rev Y", 3300, protection, "V3J15M6", "2.19.0")
    identity = replace(IDENTITY, state=IdentityState.PASSED if confirmed else IdentityState.CERTIFIED)
    recipe = replace(PLAIN, operational_answers=answers)
    with pytest.raises(TargetLocked) if refused else nullcontext():
        checks.check_protection(recipe, target, identity)


def request() -> bytes:
    """A request for a new key."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateSigningRequestBuilder(x509.Name([]))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def test_a_board_with_another_key_than_it_had_is_refused() -> None:
    """The board's certificate is for the old key; a board without a certificate may have any key."""
    with pytest.raises(KeyChanged):
        checks.check_known_certificate(PLAIN, IDENTITY, request(), EXAMINATION.at)
    checks.check_known_certificate(PLAIN, replace(IDENTITY, credentials=None), request(), EXAMINATION.at)


def test_a_board_whose_record_tells_another_key_is_refused_before_it_is_written_to() -> None:
    """Exempt are a confirmed unit, which proves its own key, and a unit that somebody else has certified."""
    target = Target(UID(bytes(12)), 0x495, "", 3300, 0xAA, "", "", agent_key="c0" * 32)
    with pytest.raises(KeyChanged):
        checks.check_recorded_key(PLAIN, target, IDENTITY)
    checks.check_recorded_key(PLAIN, replace(target, agent_key=CREDENTIALS.key), IDENTITY)
    checks.check_recorded_key(PLAIN, replace(target, agent_key=None), IDENTITY)
    checks.check_recorded_key(PLAIN, target, replace(IDENTITY, credentials=None))
    checks.check_recorded_key(PLAIN, target, replace(IDENTITY, state=IdentityState.CONFIRMED))
    delivery = Delivery(None, 1.0, COMMISSIONER)
    checks.check_recorded_key(replace(PLAIN, certification=delivery), target, IDENTITY)


def test_a_board_that_was_certified_as_another_product_fails_alone() -> None:
    """The PKI has made no mistake, and the line goes on."""
    subject = x509.Name([])
    signed = x509.CertificateSigningRequestBuilder(subject).sign(DAC_KEY, hashes.SHA256()).public_bytes(Encoding.DER)
    ours = replace(PLAIN, certification=OwnPKI(TrustAnchors(PAI.der, PAA.der), COMMISSIONER))
    checks.check_known_certificate(ours, IDENTITY, signed, EXAMINATION.at)
    checks.check_known_certificate(ours, replace(IDENTITY, credentials=None), signed, EXAMINATION.at)
    with pytest.raises(CertificateUnfit) as caught:
        checks.check_known_certificate(replace(ours, product_id=0x8005), IDENTITY, signed, EXAMINATION.at)
    assert caught.value.rule == "P3"


def test_a_request_must_have_the_serial_number_where_the_recipe_asks_for_it() -> None:
    """The label's serial number, without the NUL of some recipes' factory data; elsewhere any common name will do."""
    asks = replace(
        PLAIN,
        strings=Strings.TERMINATED,
        certification=OwnPKI(TrustAnchors(PAI.der, PAA.der), COMMISSIONER, common_name=CommonName.SERIAL_NUMBER),
    )
    own = ForgedRequest(subject=name((COMMON_NAME, "LT2600000001"), (VENDOR, "FFF1"), (PRODUCT_ID, "8004"))).der
    plain = ForgedRequest(subject=name((VENDOR, "FFF1"), (PRODUCT_ID, "8004"))).der
    assert (asks.names_requests, PLAIN.names_requests) == (True, False)
    assert not replace(PLAIN, certification=Delivery(None, 1.0, COMMISSIONER)).names_requests
    checks.check_csr(asks, IDENTITY, own)
    checks.check_csr(PLAIN, IDENTITY, own)
    checks.check_csr(PLAIN, IDENTITY, plain)
    with pytest.raises(CSRInvalid, match="found 0 common names in 2 names, expected 'LT2600000001'"):
        checks.check_csr(asks, IDENTITY, plain)
    with pytest.raises(CSRInvalid, match="found common name 'LT2600000001' in 3 names, expected 'LT2600000002'"):
        checks.check_csr(asks, replace(IDENTITY, serial_number="LT2600000002"), own)


def test_certificates_must_last_as_long_as_the_recipe_asks() -> None:
    """Found and expected days are named; DAC and PAI are both counted from now, and a recipe may ask for nothing."""
    request, at = ForgedRequest().der, EXAMINATION.at
    pki = OwnPKI(TrustAnchors(PAI.der, PAA.der), COMMISSIONER, minimum_days=90)
    soon = utc(f"{at + timedelta(days=90):%y%m%d%H%M%SZ}")
    sooner = utc(f"{at + timedelta(days=90) - timedelta(seconds=1):%y%m%d%H%M%SZ}")

    def judged(dac: Forged, pai: Forged = PAI, minimum_days: int = 90) -> str:
        anchors = TrustAnchors(pai.der, PAA.der)
        recipe = replace(PLAIN, certification=replace(pki, anchors=anchors, minimum_days=minimum_days))
        try:
            checks.check_credentials(recipe, request, Credentials(dac.der, pai.der), at)
        except CredentialsInvalid as fault:
            return f"{fault.rule} {fault.reason}"
        return "accepted"

    expires = f"{at + timedelta(days=90) - timedelta(seconds=1):%Y-%m-%d %H:%M:%S}"
    told = f"found 89 days until it expires at {expires}, expected at least 90 days"
    assert judged(DAC) == "accepted"
    assert judged(replace(DAC, valid_until=soon)) == "accepted"
    assert judged(replace(DAC, valid_until=sooner)) == f"minimum_days DAC: {told}"
    assert judged(DAC, replace(PAI, valid_until=sooner)) == f"minimum_days PAI: {told}"
    assert judged(replace(DAC, valid_until=sooner), minimum_days=0) == "accepted"


def test_a_board_whose_certificate_ends_too_soon_fails_alone() -> None:
    """The PKI gave it for an earlier recipe, or long ago, and the line goes on."""
    ours = replace(PLAIN, certification=OwnPKI(TrustAnchors(PAI.der, PAA.der), COMMISSIONER, minimum_days=90))
    dac = replace(DAC, valid_until=utc(f"{EXAMINATION.at + timedelta(days=89):%y%m%d%H%M%SZ}"))
    identity = replace(IDENTITY, credentials=Credentials(dac.der, PAI.der))
    with pytest.raises(CertificateUnfit, match="found 89 days until it expires at"):
        checks.check_known_certificate(ours, identity, ForgedRequest().der, EXAMINATION.at)


def test_a_firmware_that_keeps_its_key_elsewhere_stops_the_line() -> None:
    """The recipe names the wrong image, so every board would fail."""
    target = Target(UID(bytes(12)), 0x495, "", 3300, 0xAA, "", "")
    checks.check_same_board(PLAIN, target, bytes(12), "flash")
    with pytest.raises(KeyStorageWrong):
        checks.check_same_board(PLAIN, target, bytes(12), "secure")


@pytest.mark.parametrize(
    "changed", [{"vendor_id": 1}, {"product_id": 1}, {"serial_number": "LT2600000002"}, {"dac_serial_number": 1}]
)
def test_a_firmware_that_presents_another_unit_is_refused(changed: dict[str, int | str]) -> None:
    """Each value that the firmware presents is compared."""
    said = {
        "vendor_id": PLAIN.vendor_id,
        "product_id": PLAIN.product_id,
        "serial_number": IDENTITY.serial_number,
        "dac_serial_number": int(CREDENTIALS.dac_serial_number, 16),
    }
    checks.check_operational_identity(PLAIN, IDENTITY, CREDENTIALS, SimpleNamespace(**said))
    with pytest.raises(OperationalIdentityWrong):
        checks.check_operational_identity(PLAIN, IDENTITY, CREDENTIALS, SimpleNamespace(**said | changed))


def test_an_identity_does_not_show_its_secrets() -> None:
    """The text of a value may end in a log."""
    assert "0011" not in repr(IDENTITY)
    assert "20202021" not in repr(IDENTITY)
