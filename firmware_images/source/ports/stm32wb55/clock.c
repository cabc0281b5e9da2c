/* SPDX-License-Identifier: Apache-2.0 */
/* 64 MHz from the module's crystal, and the 48 MHz oscillator of the random number generator. */

#include "port.h"
#include "registers.h"

#define START_UP_LOOPS 100000u /* a loop count, since no timer runs yet; a crystal starts within a millisecond or two */

static bool comes(volatile uint32_t *reg, uint32_t mask, uint32_t value)
{
    for (uint32_t loops = START_UP_LOOPS; loops > 0; loops--)
        if ((*reg & mask) == value)
            return true;
    return false;
}

/* Without the crystal, the chip's own oscillator is accurate enough for a serial port. Both give 16 MHz x 8 / 2. */
static uint32_t pll_source(void)
{
    RCC_CR |= RCC_CR_HSEON;
    if (comes(&RCC_CR, RCC_CR_HSERDY, RCC_CR_HSERDY))
        return RCC_PLLCFGR_SRC_HSE | RCC_PLLCFGR_M(2u);
    RCC_CR |= RCC_CR_HSION;
    (void)comes(&RCC_CR, RCC_CR_HSIRDY, RCC_CR_HSIRDY);
    return RCC_PLLCFGR_SRC_HSI16 | RCC_PLLCFGR_M(1u);
}

void clock_start(void)
{
    FLASH_ACR = (FLASH_ACR & ~FLASH_ACR_LATENCY) | FLASH_ACR_LATENCY_3 | FLASH_ACR_PRFTEN;
    (void)comes(&FLASH_ACR, FLASH_ACR_LATENCY, FLASH_ACR_LATENCY_3);

    RCC_PLLCFGR = pll_source() | RCC_PLLCFGR_N(8u) | RCC_PLLCFGR_R(2u) | RCC_PLLCFGR_REN;
    RCC_CR |= RCC_CR_PLLON;
    (void)comes(&RCC_CR, RCC_CR_PLLRDY, RCC_CR_PLLRDY);

    RCC_EXTCFGR |= RCC_EXTCFGR_C2HPRE_2;
    (void)comes(&RCC_EXTCFGR, RCC_EXTCFGR_C2HPREF, RCC_EXTCFGR_C2HPREF);
    RCC_CFGR |= RCC_CFGR_SW_PLL;
    (void)comes(&RCC_CFGR, RCC_CFGR_SWS, RCC_CFGR_SWS_PLL);

    RCC_CRRCR |= RCC_CRRCR_HSI48ON;
    (void)comes(&RCC_CRRCR, RCC_CRRCR_HSI48RDY, RCC_CRRCR_HSI48RDY);
    feed(&RCC_AHB3ENR, RCC_AHB3ENR_HSEM | RCC_AHB3ENR_RNG | RCC_AHB3ENR_PKA | RCC_AHB3ENR_FLASH);
}
