# SPDX-License-Identifier: Apache-2.0
"""The memory map of the STM32WB5MM-DK: memories of its STM32WB55, its external flash, and the regions in them. Pure."""

from station.domain.target import Region
from station.factory_data import flat_tlv

INTERNAL_FLASH = Region(0x08000000, 0x100000)
PAGE = 0x1000  # of the internal flash; RM0434 section 3.3.1
EXTERNAL_FLASH = Region(0x90000000, 0x1000000)  # S25FL128S: 128 Mbit, on the QSPI
SECTOR = 0x10000  # of the external flash: a write erases whole sectors
RAM = Region(0x20000000, 0x40000)  # SRAM1 and SRAM2 of the STM32WB55
AGENT_IN_RAM = Region(RAM.address, 0x30000)  # SRAM1: SRAM2 is the coprocessor's
UID_ADDRESS = 0x1FFF7590  # RM0434 section 42.1: unique device ID register, 96 bits
VERSION_WORDS = 0x20010010  # FUS, then stack; valid only after FUS was started

APPLICATION = Region(INTERNAL_FLASH.address, 0x93000)
AGENT_RECORD = Region(0x08093000, PAGE)  # where the provisioning agent keeps the board's key
COPROCESSOR_ADDRESS = 0x08094000  # where ST's script puts a firmware for the coprocessor
FACTORY_DATA_REGION = Region(EXTERNAL_FLASH.address + flat_tlv.OFFSET_IN_FLASH, flat_tlv.REGION_SIZE)
READBACK_REGION = Region(FACTORY_DATA_REGION.address, flat_tlv.BLOCK_SIZE)
