/* SPDX-License-Identifier: Apache-2.0 */
/* Only the registers of the STM32WB55 that this port uses (RM0434). */

#ifndef PORT_REGISTERS_H
#define PORT_REGISTERS_H

#include <stdint.h>

#define BIT(n) (1u << (n))
#ifndef REGISTER /* the unit tests replace it by ordinary memory */
#define REGISTER(address) (*(volatile uint32_t *)(address))
#endif

/* Gives peripherals their clock. Reads the register back, since they may miss a write that comes right behind it (ST's drivers do the same). */
static inline void feed(volatile uint32_t *enable, uint32_t clocks)
{
    *enable |= clocks;
    (void)*enable;
}

/* Clocks */
#define RCC_CR REGISTER(0x58000000)
#define RCC_CR_MSION BIT(0)
#define RCC_CR_MSIRDY BIT(1)
#define RCC_CR_HSION BIT(8)
#define RCC_CR_HSIRDY BIT(10)
#define RCC_CR_HSEON BIT(16)
#define RCC_CR_HSERDY BIT(17)
#define RCC_CR_PLLON BIT(24)
#define RCC_CR_PLLRDY BIT(25)
#define RCC_CFGR REGISTER(0x58000008)
#define RCC_CFGR_SW (3u << 0)
#define RCC_CFGR_SW_PLL (3u << 0)
#define RCC_CFGR_SWS (3u << 2)
#define RCC_CFGR_SWS_PLL (3u << 2)
#define RCC_PLLCFGR REGISTER(0x5800000C)
#define RCC_PLLCFGR_SRC_HSI16 (2u << 0)
#define RCC_PLLCFGR_SRC_HSE (3u << 0)
#define RCC_PLLCFGR_M(divider) (((divider) - 1u) << 4)
#define RCC_PLLCFGR_N(factor) ((factor) << 8)
#define RCC_PLLCFGR_REN BIT(28)
#define RCC_PLLCFGR_R(divider) (((divider) - 1u) << 29)
#define RCC_AHB1RSTR REGISTER(0x58000028)
#define RCC_AHB1RSTR_DMA1 BIT(0)
#define RCC_AHB1RSTR_DMAMUX1 BIT(2)
#define RCC_AHB3RSTR REGISTER(0x58000030)
#define RCC_AHB3RSTR_QUADSPI BIT(8)
#define RCC_AHB3RSTR_PKA BIT(16)
#define RCC_AHB3RSTR_RNG BIT(18)
#define RCC_APB1RSTR1 REGISTER(0x58000038)
#define RCC_APB1RSTR1_TIM2 BIT(0)
#define RCC_APB2RSTR REGISTER(0x58000040)
#define RCC_APB2RSTR_USART1 BIT(14)
#define RCC_AHB1ENR REGISTER(0x58000048)
#define RCC_AHB1ENR_DMA1 BIT(0)
#define RCC_AHB1ENR_DMAMUX1 BIT(2)
#define RCC_AHB2ENR REGISTER(0x5800004C)
#define RCC_AHB2ENR_GPIOA BIT(0)
#define RCC_AHB2ENR_GPIOB BIT(1)
#define RCC_AHB2ENR_GPIOD BIT(3)
#define RCC_AHB3ENR REGISTER(0x58000050)
#define RCC_AHB3ENR_QUADSPI BIT(8)
#define RCC_AHB3ENR_PKA BIT(16)
#define RCC_AHB3ENR_RNG BIT(18)
#define RCC_AHB3ENR_HSEM BIT(19)
#define RCC_AHB3ENR_IPCC BIT(20)
#define RCC_AHB3ENR_FLASH BIT(25)
#define RCC_APB1ENR1 REGISTER(0x58000058)
#define RCC_AHB1SMENR REGISTER(0x58000068) /* clocks while the core sleeps */
#define RCC_AHB1SMENR_DMA1 BIT(0)
#define RCC_AHB1SMENR_DMAMUX1 BIT(2)
#define RCC_AHB1SMENR_SRAM1 BIT(9)
#define RCC_APB1ENR1_TIM2 BIT(0)
#define RCC_APB2ENR REGISTER(0x58000060)
#define RCC_APB2ENR_USART1 BIT(14)
#define RCC_CRRCR REGISTER(0x58000098)
#define RCC_CRRCR_HSI48ON BIT(0)
#define RCC_CRRCR_HSI48RDY BIT(1)
#define RCC_EXTCFGR REGISTER(0x58000108)
#define RCC_EXTCFGR_C2HPRE_2 (8u << 4) /* the coprocessor's clock, which may not be above 32 MHz, halved */
#define RCC_EXTCFGR_C2HPREF BIT(17)

/* Power: the coprocessor is stopped until it is told to boot */
#define PWR_CR4 REGISTER(0x5800040C)
#define PWR_CR4_C2BOOT BIT(15)

/* Pins */
#define GPIOA_BASE 0x48000000u
#define GPIOB_BASE 0x48000400u
#define GPIOD_BASE 0x48000C00u
#define GPIO_MODER(base) REGISTER((base) + 0x00)
#define GPIO_OSPEEDR(base) REGISTER((base) + 0x08)
#define GPIO_PUPDR(base) REGISTER((base) + 0x0C)
#define GPIO_AFR(base, pin) REGISTER((base) + ((pin) < 8 ? 0x20 : 0x24))

/* Time: TIM2 counts 32 bits */
#define TIM2_CR1 REGISTER(0x40000000)
#define TIM2_CR1_CEN BIT(0)
#define TIM2_DIER REGISTER(0x4000000C)
#define TIM2_DIER_CC1IE BIT(1)
#define TIM2_SR REGISTER(0x40000010)
#define TIM2_SR_CC1IF BIT(1)
#define TIM2_EGR REGISTER(0x40000014)
#define TIM2_EGR_UG BIT(0)
#define TIM2_CNT REGISTER(0x40000024)
#define TIM2_PSC REGISTER(0x40000028)
#define TIM2_ARR REGISTER(0x4000002C)
#define TIM2_CCR1 REGISTER(0x40000034)

/* Serial port */
#define USART1_CR1 REGISTER(0x40013800)
#define USART_CR1_UE BIT(0)
#define USART_CR1_RE BIT(2)
#define USART_CR1_TE BIT(3)
#define USART_CR1_IDLEIE BIT(4)
#define USART_CR1_FIFOEN BIT(29)
#define USART1_CR3 REGISTER(0x40013808)
#define USART_CR3_EIE BIT(0)
#define USART_CR3_DMAR BIT(6)
#define USART1_BRR REGISTER(0x4001380C)
#define USART1_ISR REGISTER(0x4001381C)
#define USART_ISR_TXFNF BIT(7)
#define USART1_ICR REGISTER(0x40013820)
#define USART_ICR_ALL_ERRORS (BIT(0) | BIT(1) | BIT(2) | BIT(3))
#define USART_ICR_IDLECF BIT(4)
#define USART1_RDR_ADDRESS 0x40013824u
#define USART1_TDR REGISTER(0x40013828)

/* Direct memory access: the first channel, and what it serves */
#define DMA1_CCR1 REGISTER(0x40020008)
#define DMA_CCR_EN BIT(0)
#define DMA_CCR_CIRC BIT(5)
#define DMA_CCR_MINC BIT(7) /* from a register to memory, byte by byte, is zeros in the other bits */
#define DMA1_CNDTR1 REGISTER(0x4002000C)
#define DMA1_CPAR1 REGISTER(0x40020010)
#define DMA1_CMAR1 REGISTER(0x40020014)
#define DMAMUX1_C0CR REGISTER(0x40020800)
#define DMAMUX_USART1_RX 14u

/* Hardware semaphores: reading RLR takes one, and returns its owner */
#define HSEM_R(n) REGISTER(0x58001400 + 4u * (n))
#define HSEM_RLR(n) REGISTER(0x58001480 + 4u * (n))
#define HSEM_RLR_OURS 0x80000400u
#define HSEM_R_RELEASE 0x00000400u

/* Random numbers */
#define RNG_CR REGISTER(0x58001000)
#define RNG_CR_RNGEN BIT(2)
#define RNG_SR REGISTER(0x58001004)
#define RNG_SR_DRDY BIT(0)
#define RNG_SR_ERRORS (BIT(1) | BIT(2) | BIT(5) | BIT(6)) /* clock and seed errors, current and latched */
#define RNG_DR REGISTER(0x58001008)

/* Public key accelerator */
#define PKA_CR REGISTER(0x58002000)
#define PKA_CR_EN BIT(0)
#define PKA_CR_START BIT(1)
#define PKA_CR_MODE(mode) ((mode) << 8)
#define PKA_SR REGISTER(0x58002004)
#define PKA_SR_PROCENDF BIT(17)
#define PKA_SR_RAMERRF BIT(19)
#define PKA_SR_ADDRERRF BIT(20)
#define PKA_CLRFR REGISTER(0x58002008)
#define PKA_RAM(offset) REGISTER(0x58002000 + (offset))

/* Internal flash */
#define FLASH_ACR REGISTER(0x58004000)
#define FLASH_ACR_LATENCY (7u << 0)
#define FLASH_ACR_LATENCY_3 (3u << 0)
#define FLASH_ACR_PRFTEN BIT(8)
#define FLASH_ACR_DCEN BIT(10)
#define FLASH_ACR_DCRST BIT(12)
#define FLASH_KEYR REGISTER(0x58004008)
#define FLASH_KEYR_1 0x45670123u
#define FLASH_KEYR_2 0xCDEF89ABu
#define FLASH_SR REGISTER(0x58004010)
#define FLASH_SR_ERRORS 0x0000C3FAu
#define FLASH_SR_EOP BIT(0)
#define FLASH_SR_BSY BIT(16)
#define FLASH_SR_CFGBSY BIT(18)
#define FLASH_SR_PESD BIT(19)
#define FLASH_CR REGISTER(0x58004014)
#define FLASH_CR_PG BIT(0)
#define FLASH_CR_PER BIT(1)
#define FLASH_CR_PNB(page) ((page) << 3)
#define FLASH_CR_STRT BIT(16)
#define FLASH_CR_LOCK BIT(31)
#define FLASH_ECCR REGISTER(0x58004018)
#define FLASH_ECCR_ECCD BIT(31)

/* External flash */
#define QUADSPI_CR REGISTER(0xA0001000)
#define QUADSPI_CR_EN BIT(0)
#define QUADSPI_CR_ABORT BIT(1)
#define QUADSPI_CR_SSHIFT BIT(4)
#define QUADSPI_CR_FTHRES(bytes) (((bytes) - 1u) << 8)
#define QUADSPI_CR_APMS BIT(22)
#define QUADSPI_CR_PRESCALER(divider) (((divider) - 1u) << 24)
#define QUADSPI_DCR REGISTER(0xA0001004)
#define QUADSPI_DCR_FSIZE(bits) (((bits) - 1u) << 16)
#define QUADSPI_DCR_CSHT(cycles) (((cycles) - 1u) << 8)
#define QUADSPI_SR REGISTER(0xA0001008)
#define QUADSPI_SR_TEF BIT(0)
#define QUADSPI_SR_TCF BIT(1)
#define QUADSPI_SR_FTF BIT(2)
#define QUADSPI_SR_SMF BIT(3)
#define QUADSPI_SR_BUSY BIT(5)
#define QUADSPI_FCR REGISTER(0xA000100C)
#define QUADSPI_DLR REGISTER(0xA0001010)
#define QUADSPI_CCR REGISTER(0xA0001014)
#define QUADSPI_CCR_IMODE_1 (1u << 8)
#define QUADSPI_CCR_ADMODE_1 (1u << 10)
#define QUADSPI_CCR_ADSIZE_32 (3u << 12)
#define QUADSPI_CCR_DMODE_1 (1u << 24)
#define QUADSPI_CCR_FMODE_WRITE (0u << 26)
#define QUADSPI_CCR_FMODE_READ (1u << 26)
#define QUADSPI_CCR_FMODE_POLL (2u << 26)
#define QUADSPI_CCR_FMODE_MAPPED (3u << 26)
#define QUADSPI_AR REGISTER(0xA0001018)
#define QUADSPI_DR REGISTER(0xA0001020)
#define QUADSPI_DR_BYTE (*(volatile uint8_t *)0xA0001020)
#define QUADSPI_PSMKR REGISTER(0xA0001024)
#define QUADSPI_PSMAR REGISTER(0xA0001028)
#define QUADSPI_PIR REGISTER(0xA000102C)

/* Mailbox with the coprocessor */
#define IPCC_C1SCR REGISTER(0x58000C08)
#define IPCC_C1SCR_CLEAR(channel) BIT((channel) - 1)
#define IPCC_C1SCR_SET(channel) BIT((channel) + 15)
#define IPCC_C1TOC2SR REGISTER(0x58000C0C)
#define IPCC_C2TOC1SR REGISTER(0x58000C1C)
#define IPCC_CHANNEL(channel) BIT((channel) - 1)

/* The core */
#define SYST_CSR REGISTER(0xE000E010)
#define NVIC_ICER(n) REGISTER(0xE000E180 + 4u * (n))
#define NVIC_ICPR(n) REGISTER(0xE000E280 + 4u * (n))
#define NVIC_ISER(n) REGISTER(0xE000E100 + 4u * (n))
#define SCB_VTOR REGISTER(0xE000ED08)
#define SCB_SCR REGISTER(0xE000ED10)
#define SCB_SCR_SLEEPDEEP BIT(2)
#define SCB_CCR REGISTER(0xE000ED14)
#define SCB_CCR_UNALIGN_TRP BIT(3)
#define MPU_CTRL REGISTER(0xE000ED94)
#define IRQ_TIM2 28u
#define IRQ_USART1 36u

#endif
