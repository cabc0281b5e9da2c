# SPDX-License-Identifier: Apache-2.0
"""Makes the recipe, a laboratory's or a partner's, from a plan and its inputs. Pure but for reading the images."""

import hashlib

from station.config import plain_files
from station.domain.coprocessor import WirelessStack
from station.domain.identity import GivenIdentity, Lot
from station.domain.memory_map import FACTORY_DATA_REGION
from station.domain.product import Image, Trust
from station.factory_data import device_information
from station.factory_data.flat_tlv import FactoryData, Tag
from station.factory_data.sources import CERTIFIED, ONBOARDING, check_whole
from station.gen_factory_data.arguments import UsageInvalid
from station.gen_factory_data.plan import IdentityRule, Placed, Plan
from station.recipe.commissioner import Commissioner
from station.recipe.image_checks import application_mistakes, stack_mistakes, vector_table_mistakes
from station.recipe.laboratory import Laboratory
from station.recipe.recipe import Delivery, Recipe

SERIAL_NUMBER_ROOM = 32 - len("-000000")  # Matter Core specification 11.1.5.16: 32 bytes
OWN = frozenset(
    {*ONBOARDING, Tag.SPAKE2_SETUP_PASSCODE, Tag.SERIAL_NUMBER, Tag.MANUFACTURING_DATE, Tag.ROTATING_DEVICE_ID}
)


def laboratory(plan: Plan, data: FactoryData, commissioner: Commissioner) -> Laboratory:
    """Every board gets the input, with certificates and keys; raises `FactoryDataInvalid` or `UsageInvalid`."""
    check_whole(data, certified=True)
    device_information.check_device_information(data)
    assert plan.data_address is not None  # else nothing is flashed
    placed = plan.application or plan.provisioner  # both have one address, so the last write stays
    firmware = (_image(placed, operational=placed is plan.application),) if placed else ()
    return Laboratory(
        name=_name(plan),
        data=data,
        address=plan.data_address,
        firmware=firmware,
        commissioner=commissioner,
        wireless_stack=_stack(plan, *firmware),
    )


def recipe(plan: Plan, data: FactoryData, commissioner: Commissioner, script_within: float) -> Recipe:
    """The recipe by which a partner's script certifies every board; raises `FactoryDataInvalid` or `UsageInvalid`."""
    check_whole(data, certified=False)
    device_information.check_device_information(data)
    assert plan.provisioner is not None
    assert plan.application is not None
    _check_provisionable(plan, data)
    provisioner, application = _image(plan.provisioner, operational=False), _image(plan.application, operational=True)
    vendor_id, product_id = data.number(Tag.VENDOR_ID), data.number(Tag.PRODUCT_ID)
    iterations = data.number(Tag.SPAKE2_ITERATION_COUNT)
    assert vendor_id is not None
    assert product_id is not None
    assert iterations is not None
    stack = _stack(plan, provisioner, application)
    names = (_name(plan), *(image.sha256 for image in (provisioner, application, stack) if image))
    return Recipe(
        name=_name(plan),
        sha256=hashlib.sha256("\n".join(names).encode()).hexdigest(),
        product={tag: value for tag, value in data.records.items() if tag not in OWN},
        vendor_id=vendor_id,
        product_id=product_id,
        key_storage=plan.key_storage,
        trust=Trust.DEVELOPMENT,  # concerns our own PKI, which is not used; the commissioner decides
        lot=_lot(data, _name(plan)),
        iterations=iterations,
        provisioning_image=provisioner,
        operational_image=application,
        operational_answers=frozenset(),  # its answers are unknown
        verify=plan.verify,
        certification=Delivery(plan.script, script_within, commissioner),
        given=GivenIdentity(data) if plan.identity is IdentityRule.SAME else None,
        wireless_stack=stack,
    )


def check_block(data: FactoryData) -> None:
    """A block that is only written into a file may lack certificates; raises `FactoryDataInvalid`."""
    device_information.check_device_information(data)
    if any(tag in data.records for tag in CERTIFIED):
        check_whole(data, certified=True)


def _check_provisionable(plan: Plan, data: FactoryData) -> None:
    mistakes = []
    if plan.data_address != FACTORY_DATA_REGION.address:
        mistakes.append(
            f"factory data at 0x{plan.data_address:08X}: ST's provisioning firmware reads it at "
            f"0x{FACTORY_DATA_REGION.address:08X} and nowhere else"
        )
    if plan.identity is IdentityRule.SAME and Tag.SPAKE2_SETUP_PASSCODE not in data.records:
        mistakes.append("SPAKE2_SETUP_PASSCODE: missing; all boards must get it")
    if mistakes:
        raise UsageInvalid(mistakes)


def _image(placed: Placed, *, operational: bool) -> Image:
    image = Image(placed.path.name, plain_files.read(placed.path), placed.address, "")
    wrong = application_mistakes if operational else vector_table_mistakes
    if mistakes := list(wrong(str(placed.path), image.content, image.region)):
        raise UsageInvalid(mistakes)
    return image


def _stack(plan: Plan, *images: Image) -> WirelessStack | None:
    """ST's command line does not name the stack's version, so every board gets it."""
    placed = plan.coprocessor
    if placed is None:
        return None
    stack = WirelessStack(placed.path.name, plain_files.read(placed.path), placed.address)
    if mistakes := list(stack_mistakes(stack, {image.name: image.region for image in images})):
        raise UsageInvalid(mistakes)
    return stack


def _lot(data: FactoryData, name: str) -> Lot:
    """A lot whose serial numbers begin with the input's."""
    base = data.text(Tag.SERIAL_NUMBER) or name
    while len(base.encode()) > SERIAL_NUMBER_ROOM:
        base = base[:-1]
    pattern = base.replace("{", "{{").replace("}", "}}") + "-{:06d}"
    return Lot(base, pattern, first=1, size=999_999)


def _name(plan: Plan) -> str:
    """The recipe's name in the ledger."""
    source = plan.json or plan.binary
    assert source is not None
    return source.stem[:64]
