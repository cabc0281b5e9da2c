# SPDX-License-Identifier: Apache-2.0
"""Recipe and manifest: all checks happen before the line opens."""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from station.config.problems import ConfigurationInvalid
from station.domain.coprocessor import Version
from station.domain.credentials import DEVELOPMENT_KEY
from station.domain.product import Plan, Strings
from station.domain.target import Region
from station.label.plan import TCPPrinter
from station.recipe.files import recipe_file
from station.recipe.recipe import Recipe
from tests.builders.forge import PAA, PAI, utc

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Copies of the shipped recipe and images, for tests to spoil."""
    shutil.copytree(ROOT / "config" / "recipes", tmp_path / "config" / "recipes")
    shutil.copytree(ROOT / "firmware_images", tmp_path / "firmware_images")
    for name, certificate in (("pai", PAI), ("paa", PAA)):
        (tmp_path / f"{name}.pem").write_bytes(certificate.der)
    return tmp_path


def spoil(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def mistakes(tree: Path) -> list[str]:
    with pytest.raises(ConfigurationInvalid) as invalid:
        recipe_file.load(tree / "config" / "recipes" / "lighting.toml", tree / "pai.pem", tree / "paa.pem")
    return [f"{problem.place}: {problem.text}" for problem in invalid.value.problems]


def test_the_shipped_recipe_is_good(tree: Path) -> None:
    """The recipe's images are found, hashed and at their addresses."""
    recipe = recipe_file.load(tree / "config" / "recipes" / "lighting.toml", tree / "pai.pem", tree / "paa.pem")
    assert recipe.operational_image.region == Region(0x08000000, 479_006)
    assert recipe.lot.serial_number(0) == "LT2600000001"


def test_what_was_checked_is_what_is_flashed(tree: Path) -> None:
    """A later change of the file does not change the bytes that are flashed."""
    recipe = recipe_file.load(tree / "config" / "recipes" / "lighting.toml", tree / "pai.pem", tree / "paa.pem")
    (tree / "firmware_images" / "operational-flash.bin").write_bytes(b"another image")
    content = recipe.operational_image.content
    assert (len(content), hashlib.sha256(content).hexdigest()) == (479_006, recipe.operational_image.sha256)


def test_all_that_is_wrong_with_the_files_is_told_at_once(tree: Path) -> None:
    """Declaration, pattern, both images and trust anchors are wrong here, and the messages name all of them."""
    recipe = tree / "config" / "recipes" / "lighting.toml"
    (tree / "config" / "recipes" / "certification-declaration.der").unlink()
    spoil(recipe, "LT26{:08d}", "LT26")
    spoil(recipe, 'provisioning = "provisioning-flash"', 'provisioning = "provisioning-secure"')
    image = tree / "firmware_images" / "operational-flash.bin"
    image.write_bytes(image.read_bytes()[:-1])
    (tree / "paa.pem").write_text("not a certificate")
    found = mistakes(tree)
    assert [line.split(":")[0] for line in found] == [
        "product.certification_declaration",
        "lot.serial_number",
        "images.provisioning",
        "image[3].sha256",
        "pki.paa",
    ]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("load_address = 0x08000000", "load_address = 0x08090000", "an application 0x08000000 to 0x08092FFF"),
        ('kind = "provisioning"', 'kind = "operational"', "of kind operational, provisioning is needed"),
        ('name = "provisioning-flash"', 'name = "other"', "the manifest has no image provisioning-flash"),
    ],
)
def test_an_image_that_does_not_fit_is_refused(tree: Path, old: str, new: str, words: str) -> None:
    """The recipe is refused before anything is erased."""
    spoil(tree / "firmware_images" / "manifest.toml", old, new)
    assert any(words in line for line in mistakes(tree))


def test_an_image_that_is_linked_to_ram_is_refused(tree: Path) -> None:
    """No board starts it by itself."""
    recipe = tree / "config" / "recipes" / "lighting.toml"
    spoil(recipe, 'provisioning = "provisioning-flash"', 'provisioning = "provisioning-flash-ram"')
    (found,) = [line for line in mistakes(tree) if "load_address 0x20000000, where no board starts it" in line]
    assert found.endswith('an image in RAM needs plan = "ram" in the recipe')


def in_ram(tree: Path, image: str = "provisioning-flash-ram") -> None:
    recipe = tree / "config" / "recipes" / "lighting.toml"
    spoil(recipe, 'trust = "development"', 'plan = "ram"\ntrust = "development"')
    spoil(recipe, 'provisioning = "provisioning-flash"', f'provisioning = "{image}"')


def test_the_plan_ram_takes_an_image_that_is_linked_to_ram(tree: Path) -> None:
    in_ram(tree)
    recipe = loaded(tree)
    assert (recipe.plan, recipe.provisioning_image.address) == (Plan.RAM, 0x20000000)


def test_the_plan_ram_refuses_an_image_for_flash(tree: Path) -> None:
    in_ram(tree, "provisioning-flash")
    found = mistakes(tree)
    assert any('the provisioning image of plan = "ram" 0x20000000 to 0x2002FFFF' in line for line in found)
    assert any('plan = "ram" starts the vector table at 0x20000000' in line for line in found)


def test_the_plan_ram_is_no_partners(tree: Path) -> None:
    in_ram(tree)
    spoil(tree / "config" / "recipes" / "lighting.toml", '"provisioning-link"', '"st-monitor"')
    assert any('plan = "ram" belongs to procedure = "provisioning-link"' in line for line in mistakes(tree))


def rewritten(tree: Path, change: Callable[[bytes], bytes]) -> None:
    """Changes the operational image, and its hash in the manifest."""
    image = tree / "firmware_images" / "operational-flash.bin"
    before = image.read_bytes()
    image.write_bytes(change(before))
    old, new = (hashlib.sha256(content).hexdigest() for content in (before, image.read_bytes()))
    spoil(tree / "firmware_images" / "manifest.toml", old, new)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda image: image[4:], "does not begin with a vector table"),
        (lambda image: image[:4] + b"\x00\x00\x09\x08" + image[8:], "reset vector 0x08090000"),
        (lambda image: image[:9000] + DEVELOPMENT_KEY + image[9064:], "built without factory data"),
    ],
    ids=["shifted", "reset vector outside", "development DAC inside"],
)
def test_an_image_that_would_not_do_is_refused(tree: Path, change: Callable[[bytes], bytes], words: str) -> None:
    """The SHA-256 matches the manifest, but the image is the wrong build."""
    rewritten(tree, change)
    assert any(words in line for line in mistakes(tree))


PRODUCTS = {
    "vendor_id = 0xFFF2": "vendor 0xFFF1, and 0xFFF2 is made",
    "product_id = 0x9004": "product 0x9004 is not among those it is for",
    "device_type = 0x0100\nproduct_id = 0x8004": "device type 0x0016, and 0x0100 is made",
    'certificate_id = "CSA99999SWC00000-00"\nproduct_id = 0x8004': "and 'CSA99999SWC00000-00' is made",
    "certification_version = 2\nproduct_id = 0x8004": "version number 0x0001, and 0x0002 is made",
}


@pytest.mark.parametrize("product", PRODUCTS)
def test_a_declaration_for_another_product_is_refused(tree: Path, product: str) -> None:
    """A commissioner would refuse the unit in the customer's home."""
    old = "vendor_id = 0xFFF1" if product.startswith("vendor") else "product_id = 0x8004"
    spoil(tree / "config" / "recipes" / "lighting.toml", old, product)
    (found,) = [line for line in mistakes(tree) if line.startswith("product.certification_declaration: ")]
    assert PRODUCTS[product] in found


def test_a_production_line_refuses_what_is_for_tests(tree: Path) -> None:
    """A development declaration, a test vendor and an unknown root are each refused."""
    spoil(tree / "config" / "recipes" / "lighting.toml", 'trust = "development"', 'trust = "production"')
    found = mistakes(tree)
    assert any("its kind is development" in line for line in found)
    assert any("PAA: it is not in the trust store" in line for line in found)


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda file: file.write_bytes(b"no certificate"),
        lambda file: file.symlink_to("nowhere"),
        lambda file: file.symlink_to(file.name),
        lambda file: file.mkdir(),
    ],
    ids=["no certificate", "dangling link", "link to itself", "folder"],
)
def test_a_file_of_no_use_in_the_trust_store_is_named_and_left_out(
    tree: Path, spoilt: Callable[[Path], object]
) -> None:
    """The line opens with the remaining certificates."""
    shutil.copytree(ROOT / "config" / "trust", tree / "trust")
    spoilt(tree / "trust" / "paa" / "broken.der")
    recipe = tree / "config" / "recipes" / "lighting.toml"
    recipe.write_text(f'trust_store = "{tree}/trust"\n' + recipe.read_text())
    commissioner = recipe_file.load(recipe, tree / "pai.pem", tree / "paa.pem").certification.commissioner
    assert [text.split(":")[0] for text in commissioner.trust.unreadable] == ["broken.der"]


PATTERNS = {
    "LT{": "it has a single {",
    "LT}{}": "it has a single }",
    "LT": "it has no numbers",
    "LT{{}}": "it has no numbers",
    "LT{:08d}{}": "it has 2 numbers",
    "LT{name}": "{name} is no decimal number",
    "LT{1}": "{1} is no decimal number",
    "L{:c}": "{:c} is no decimal number",
    "L{:e}": "{:e} is no decimal number",
    "L{:n}": "{:n} is no decimal number",
    "L{:x}": "{:x} is no decimal number",
    "L{:,}": "{:,} is no decimal number",
    "L{:+d}": "{:+d} is no decimal number",
    "L{:6d}": "{:6d} is no decimal number",
    "L{:.1f}": "{:.1f} is no decimal number",
    "L{!r}": "{!r} is no decimal number",
    "L{0.real}": "{0.real} is no decimal number",
    "L{0.__class__.__mro__}": "{0.__class__.__mro__} is no decimal number",
    "L{:{}}": "it has a single {",
    "L{:999999999d}": "{:999999999d} is no decimal number",
    "L{:0999999999d}": "{:0999999999d} is no decimal number",
    "L{:033d}": "{:033d} asks for 33 digits",
    "LT{:03d}": "the lot's last number 1000000 needs 7: the labels would differ in length; did you mean {:07d}?",
    "X" * 30 + "{:06d}": "more than 32 characters, 30 of them outside its number",
    "X" * 27 + "{}": "more than 32 characters, 27 of them outside its number",
    "X" * 33 + "{}": "more than 32 characters",
    "L\\u00fc{}": "not ASCII",
    "L\\u202e{}": "cannot be printed",
    "L\\t{}": "cannot be printed",
    " L{}": "blanks at an end",
    "": "it has no numbers",
}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_that_makes_no_serial_numbers_is_refused(tree: Path, pattern: str) -> None:
    """Each unit needs a unique serial number of at most 32 printable characters.

    The message has the actual and the expected form.
    """
    spoil(tree / "config" / "recipes" / "lighting.toml", "LT26{:08d}", pattern)
    (mistake,) = mistakes(tree)
    assert mistake.startswith("lot.serial_number: found '")
    assert 'expected text with one decimal number in it, such as "LIGHT-{:06d}", which makes LIGHT-000001: ' in mistake
    assert PATTERNS[pattern] in mistake
    assert mistake.isascii()
    assert len(mistake) < 400


@pytest.mark.parametrize(
    ("pattern", "first", "last"),
    [
        ("LT{}", "LT1", "LT1000000"),
        ("LT{:d}-A", "LT1-A", "LT1000000-A"),
        ("{:07}", "0000001", "1000000"),
        ("{0:032d}", "1".rjust(32, "0"), "1000000".rjust(32, "0")),
        ("{{{:08d}}}", "{00000001}", "{01000000}"),
        ("X" * 25 + "{}", "X" * 25 + "1", "X" * 25 + "1000000"),
    ],
)
def test_a_pattern_is_text_with_one_decimal_number_in_it(tree: Path, pattern: str, first: str, last: str) -> None:
    """The number may have leading zeros; braces of the label are written twice."""
    spoil(tree / "config" / "recipes" / "lighting.toml", "LT26{:08d}", pattern)
    lot = loaded(tree).lot
    assert (lot.serial_number(0), lot.serial_number(999_999)) == (first, last)


@pytest.mark.parametrize("first", ["1_0000000000_0000000000_0000000000", "0x" + "F" * 5000])
def test_a_lot_whose_last_number_has_no_room_is_refused(tree: Path, first: str) -> None:
    """The check does not format the number, which may have any number of digits."""
    spoil(tree / "config" / "recipes" / "lighting.toml", "first = 1\n", f"first = {first}\n")
    (mistake,) = mistakes(tree)
    assert "the last serial number would have more than 32 characters" in mistake


def test_certificates_may_be_asked_to_last(tree: Path) -> None:
    """Without the setting any end is accepted."""
    recipe = tree / "config" / "recipes" / "lighting.toml"
    assert asked_days(loaded(tree)) == 0
    recipe.write_text(f"{recipe.read_text()}\n[attestation]\nminimum_days = 365\n")
    assert asked_days(loaded(tree)) == 365


def asked_days(recipe: Recipe) -> int:
    assert recipe.own_pki is not None
    return recipe.own_pki.minimum_days


def test_a_request_is_named_only_if_the_recipe_asks_for_it(tree: Path) -> None:
    """The shipped provisioning images can do it."""
    recipe = tree / "config" / "recipes" / "lighting.toml"
    assert not loaded(tree).names_requests
    recipe.write_text(f'{recipe.read_text()}\n[attestation]\ncommon_name = "serial-number"\n')
    assert loaded(tree).names_requests


def test_an_image_that_cannot_name_the_serial_number_is_refused_before_the_line_opens(tree: Path) -> None:
    """An older agent would send every board's request without its name. A recipe that asks for none may have it."""
    spoil(tree / "firmware_images" / "manifest.toml", 'answers = ["common-name"]\n', "")
    assert not loaded(tree).names_requests
    asks = '[attestation]\ncommon_name = "serial-number"\n\n[lot]'
    spoil(tree / "config" / "recipes" / "lighting.toml", "[lot]", asks)
    (mistake,) = mistakes(tree)
    assert mistake.startswith("images.provisioning: provisioning-flash cannot put the serial number into its request")
    assert mistake.endswith('"common-name" is not among its answers in the manifest')


def test_no_operational_image_answers_with_a_name(tree: Path) -> None:
    """It would count as one that can say who it is."""
    spoil(tree / "firmware_images" / "manifest.toml", 'answers = ["identity", "proof"]', 'answers = ["common-name"]')
    (mistake,) = mistakes(tree)
    assert mistake.startswith('images.operational: operational-flash has "common-name" among its answers')


def test_a_pai_that_ends_too_soon_is_refused_before_the_line_opens(tree: Path) -> None:
    """Every DAC under it would be bought and refused."""
    soon = utc(f"{datetime.now(UTC) + timedelta(days=10, hours=1):%y%m%d%H%M%SZ}")
    (tree / "pai.pem").write_bytes(replace(PAI, valid_until=soon).der)
    assert asked_days(loaded(tree)) == 0
    spoil(tree / "config" / "recipes" / "lighting.toml", "[lot]", "[attestation]\nminimum_days = 30\n\n[lot]")
    (mistake,) = mistakes(tree)
    assert mistake.startswith("pki.pai: the recipe's attestation.minimum_days would refuse every DAC under it: PAI: ")
    assert "found 10 days until it expires at " in mistake
    assert mistake.endswith(", expected at least 30 days")


@pytest.mark.parametrize("days", ["-1", "1.5", "true", "36501"])
def test_days_that_make_no_sense_are_refused(tree: Path, days: str) -> None:
    """The mistake is told at the setting."""
    spoil(tree / "config" / "recipes" / "lighting.toml", "[lot]", f"[attestation]\nminimum_days = {days}\n\n[lot]")
    (mistake,) = mistakes(tree)
    assert mistake.startswith("attestation.minimum_days: ")


LOCKS = {
    "[lock]\nreadout_protection = 2": "lock: readout_protection = 2 closes the debug port for ever",
    "[lock]\nreadout_protection = 0": "lock.readout_protection: ",
    "[lock]\noption_bytes = { RDP = 0xCC }": "lock.option_bytes: RDP is not set here",
    "[lock]\noption_bytes = { SFSA = 0 }": "lock.option_bytes: SFSA is not set here: only the coprocessor sets it",
}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_that_may_not_be_is_refused(tree: Path, lock: str) -> None:
    """An irreversible lock needs `irreversible = true`, and readout protection has only one setting."""
    with (tree / "config" / "recipes" / "lighting.toml").open("a") as recipe:
        recipe.write(f"\n{lock}\n")
    (mistake,) = mistakes(tree)
    assert mistake.startswith(LOCKS[lock])


@pytest.mark.parametrize(("level", "value"), [(1, 0xBB), (2, 0xCC)])
def test_a_lock_sets_the_readout_protection_and_more(tree: Path, level: int, value: int) -> None:
    """Option bytes have the names of the reference manual."""
    with (tree / "config" / "recipes" / "lighting.toml").open("a") as recipe:
        recipe.write(f"\n[lock]\nreadout_protection = {level}\nirreversible = true\noption_bytes = {{ BOR_LEV = 4 }}\n")
    loaded = recipe_file.load(tree / "config" / "recipes" / "lighting.toml", tree / "pai.pem", tree / "paa.pem")
    assert loaded.lock is not None
    assert loaded.lock.option_bytes == {"BOR_LEV": 4, "RDP": value}


def loaded(tree: Path) -> Recipe:
    return recipe_file.load(tree / "config" / "recipes" / "lighting.toml", tree / "pai.pem", tree / "paa.pem")


def test_factory_data_is_as_the_tool_of_st_writes_it_unless_the_recipe_says_otherwise(tree: Path) -> None:
    """By default strings have no NUL behind them, and the passcode is included."""
    spoil(tree / "config" / "recipes" / "lighting.toml", "[factory_data]\n", "")
    for line in ('strings = "plain"', "passcode = true"):
        spoil(tree / "config" / "recipes" / "lighting.toml", line, "")
    assert (loaded(tree).strings, loaded(tree).passcode_in_flash) == (Strings.PLAIN, True)


def test_strings_and_passcode_are_the_recipes_choice(tree: Path) -> None:
    """One setting selects the strings' form, another the passcode."""
    spoil(tree / "config" / "recipes" / "lighting.toml", 'strings = "plain"', 'strings = "terminated"')
    spoil(tree / "config" / "recipes" / "lighting.toml", "passcode = true", "passcode = false")
    assert (loaded(tree).strings, loaded(tree).passcode_in_flash) == (Strings.TERMINATED, False)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"STMicroelectronics"', f'"{"ü" * 17}"', "VENDOR_NAME: 34 bytes; 1 to 32 are expected"),
        ("product_id = 0x8004", "product_id = 0", "PRODUCT_ID: 0x0000 cannot be assigned"),
        ('"STM32WB Demo App"', '"Lamp\\u0007"', "PRODUCT_NAME: a character that cannot be printed"),
    ],
)
def test_a_product_that_matter_does_not_allow_is_refused(tree: Path, old: str, new: str, words: str) -> None:
    """The reader refuses the recipe before any board gets the product's names."""
    spoil(tree / "config" / "recipes" / "lighting.toml", old, new)
    assert f"product: {words}" in mistakes(tree)


STACK = b"a wireless stack, signed by ST" * 1000
COPROCESSOR = f"""
[coprocessor]
file = "stack.bin"
sha256 = "{hashlib.sha256(STACK).hexdigest()}"
address = 0x08094000
version = "1.24.0.3"
smallest_fus = "1.2.0"
"""


def with_stack(tree: Path, old: str = "", new: str = "") -> None:
    """The shipped recipe with a wireless stack, and with changes."""
    recipe = tree / "config" / "recipes" / "lighting.toml"
    (recipe.parent / "stack.bin").write_bytes(STACK)
    assert old in COPROCESSOR
    recipe.write_text(recipe.read_text() + COPROCESSOR.replace(old, new))


def test_a_wireless_stack_is_read_and_hashed_when_the_line_opens(tree: Path) -> None:
    """The recipe has the stack's version, and the oldest accepted version of the FUS."""
    with_stack(tree)
    stack = recipe_file.load(
        tree / "config" / "recipes" / "lighting.toml", tree / "pai.pem", tree / "paa.pem"
    ).wireless_stack
    assert stack is not None
    assert (stack.content, stack.address) == (STACK, 0x08094000)
    assert (stack.version, stack.smallest_fus) == (Version(1, 24, 0, 3), Version(1, 2, 0))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"stack.bin"', '"missing.bin"', "coprocessor: {}/missing.bin cannot be read"),
        ('sha256 = "', 'sha256 = "0" # "', 'coprocessor.sha256: found "0", expected a SHA-256'),
        ('"1.24.0.3"', '"1.24"', "coprocessor.version: 1.24 is not a version"),
        ('"1.2.0"', '"v1"', "coprocessor.smallest_fus: v1 is not a version"),
        ("0x08094000", "0x08094800", "stack.bin at 0x08094800: it must begin at a page"),
        ("0x08094000", "0x080FA000", "stack.bin takes 0x080FA000 to 0x0810152F, the internal flash is"),
        ("0x08094000", "0x08090000", "and the provisioning firmware's record of the board's key 0x08093000 to"),
        ("0x08094000", "0x08074000", "and operational-flash 0x08000000 to 0x08074F1D"),
        ("0x08094000", "0x08001000", "and provisioning-flash 0x08000000 to"),
        ("address", "adress", "coprocessor.adress: there is no such setting"),
    ],
)
def test_a_wireless_stack_that_does_not_fit_is_refused(tree: Path, old: str, new: str, words: str) -> None:
    """The coprocessor would refuse the stack on every board, or the stack would overwrite its neighbour."""
    with_stack(tree, old, new)
    found = mistakes(tree)
    assert any(words.format(tree / "config" / "recipes") in line for line in found), found


def test_a_wireless_stack_that_was_changed_is_refused(tree: Path) -> None:
    """The image's SHA-256 must be the recipe's; this mistake is reported together with all others."""
    with_stack(tree, "0x08094000", "0x08090800")
    stack = tree / "config" / "recipes" / "stack.bin"
    stack.write_bytes(STACK[:-1])
    (tree / "paa.pem").write_text("not a certificate")
    found = mistakes(tree)
    assert [line.split(":")[0] for line in found] == ["coprocessor"] * 3 + ["pki.paa"]
    assert f"{stack} has SHA-256 {hashlib.sha256(STACK[:-1]).hexdigest()}, the recipe says" in found[2]


def test_a_label_on_which_a_text_does_not_fit_is_refused(tree: Path) -> None:
    """The longest text of any unit is meant; the mistake names the field."""
    recipe = tree / "config" / "recipes" / "lighting.toml"
    good = recipe.read_text()
    recipe.write_text(good + '\n[label]\nsize_mm = [50, 25]\nprinter = "tcp://10.0.0.7"\nrequired = true\n')
    plan = loaded(tree).label
    assert plan is not None
    assert (plan.printer, plan.required, plan.reprints) == (TCPPrinter("10.0.0.7", 9100), True, 2)
    recipe.write_text(good + "\n[label]\nsize_mm = [26, 25]\n")
    assert mistakes(tree)[0].startswith("label: product_name: 'STM32WB Demo App' does not fit")
    for table, words in (
        ("size_mm = [50, 25]\nrequired = true", "label: required = true needs a printer"),
        ('size_mm = [50, 25]\nprinter = "usb:1"', "label.printer: found 'usb:1', expected tcp://host:9100"),
        ('size_mm = [50, 25]\nfields = ["copy", "copy"]', "label: fields names a line twice"),
        ("size_mm = [50, 25]\ndpi = 200", "label.dpi: "),
    ):
        recipe.write_text(f"{good}\n[label]\n{table}\n")
        (mistake,) = mistakes(tree)
        assert mistake.startswith(words)
