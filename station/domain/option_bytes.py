# SPDX-License-Identifier: Apache-2.0
"""The STM32WB55's option bytes, RM0434 section 3.5: the names that the programmer takes, and the bits of each. Pure.

The programmer looks at a name at the board's last step only, when its certificate has been bought.
"""

from collections.abc import Mapping
from difflib import get_close_matches

ONLY_THE_COPROCESSOR = "only the coprocessor sets it"
NOT_OURS: Mapping[str, str] = {"RDP": "readout_protection says it"} | dict.fromkeys(
    ("ESE", "SFSA", "FSD", "DDS", "C2OPT", "NBRSD", "SBRSA", "SNBRSA", "BRSD", "SBRV", "IPCCDBA"), ONLY_THE_COPROCESSOR
)

_ALIKE = str.maketrans("OIL", "011")  # letters that are taken for digits
_ADDRESS = 9  # bits of a PCROP address: half pages of 2 KB
BITS: Mapping[str, int] = {
    "BOR_LEV": 3,
    "nBOOT0": 1,
    "nBOOT1": 1,
    "nSWBOOT0": 1,
    "SRAM2RST": 1,
    "SRAM2PE": 1,
    "nRST_STOP": 1,
    "nRST_STDBY": 1,
    "nRSTSHDW": 1,
    "WWDGSW": 1,
    "IWDGSTDBY": 1,
    "IWDGSTOP": 1,
    "IWDGSW": 1,
    "AGC_TRIM": 3,
    "PCROP1A_STRT": _ADDRESS,
    "PCROP1A_END": _ADDRESS,
    "PCROP1B_STRT": _ADDRESS,
    "PCROP1B_END": _ADDRESS,
    "PCROP_RDP": 1,
    "WRP1A_STRT": 8,
    "WRP1A_END": 8,
    "WRP1B_STRT": 8,
    "WRP1B_END": 8,
}


def mistake_in(name: str, value: int) -> str | None:
    """What is wrong with setting this option byte; None if it can be set. Case does not matter, as for the programmer."""
    if reason := NOT_OURS.get(name.upper()):
        return f"{name} is not set here: {reason}"
    known = {each.upper(): each for each in BITS}
    if name.upper() not in known:
        alike = {each.translate(_ALIKE): spelt for each, spelt in known.items()}
        near = get_close_matches(name.upper().translate(_ALIKE), alike, 1, 0.6)
        meant = f'did you mean "{alike[near[0]]}"?' if near else f"it has {', '.join(BITS)}"
        return f"the STM32WB55 has no option byte {name!a}; {meant}"
    if value >= 1 << (bits := BITS[known[name.upper()]]):
        return (
            f"found {name} = 0x{value:X}, expected 0x{(1 << bits) - 1:X} or less: it has {bits} bit{'s' * (bits > 1)}"
        )
    return None
