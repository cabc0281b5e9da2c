/* SPDX-License-Identifier: Apache-2.0 */
/*
 * USART1 on PB6 and PB7, which the board's ST-LINK turns into a serial port: 115200 8N1. The DMA puts what comes into a
 * ring, and the core sleeps until the line is idle.
 */

#include "cpu.h"
#include "platform.h"
#include "port.h"
#include "registers.h"

#define BAUD_RATE 115200u
#define TX_PIN 6u
#define RX_PIN 7u
#define ALTERNATE_FUNCTION 7u

/*
 * Longer than the longest frame, since one may arrive while the previous one's answer is being computed. What comes
 * when the ring is full overwrites what was not read, of earlier frames, too; CRCs show that, and the station repeats
 * its question.
 */
#define RING 2048u

static volatile uint8_t ring[RING]; /* written by the DMA */
static size_t out;                  /* where the reader goes on */

void uart_interrupt(void);

static void use_pin(unsigned pin)
{
    unsigned alternate = 4u * (pin % 8u);

    GPIO_AFR(GPIOB_BASE, pin) = (GPIO_AFR(GPIOB_BASE, pin) & ~(15u << alternate)) | ALTERNATE_FUNCTION << alternate;
    GPIO_PUPDR(GPIOB_BASE) = (GPIO_PUPDR(GPIOB_BASE) & ~(3u << 2u * pin)) | 1u << 2u * pin;
    GPIO_MODER(GPIOB_BASE) = (GPIO_MODER(GPIOB_BASE) & ~(3u << 2u * pin)) | 2u << 2u * pin;
}

static void start_ring(void)
{
    feed(&RCC_AHB1ENR, RCC_AHB1ENR_DMA1 | RCC_AHB1ENR_DMAMUX1);
    DMAMUX1_C0CR = DMAMUX_USART1_RX;
    DMA1_CPAR1 = USART1_RDR_ADDRESS;
    DMA1_CMAR1 = (uint32_t)(uintptr_t)ring;
    DMA1_CNDTR1 = RING;
    DMA1_CCR1 = DMA_CCR_MINC | DMA_CCR_CIRC | DMA_CCR_EN;
}

void uart_start(void)
{
    feed(&RCC_AHB2ENR, RCC_AHB2ENR_GPIOB);
    feed(&RCC_APB2ENR, RCC_APB2ENR_USART1);
    use_pin(TX_PIN);
    use_pin(RX_PIN);
    USART1_BRR = (PORT_CLOCK_HZ + BAUD_RATE / 2u) / BAUD_RATE;
    start_ring();
    USART1_CR3 = USART_CR3_DMAR | USART_CR3_EIE;
    USART1_CR1 = USART_CR1_FIFOEN | USART_CR1_IDLEIE | USART_CR1_RE | USART_CR1_TE | USART_CR1_UE;
    NVIC_ISER(IRQ_USART1 / 32u) = BIT(IRQ_USART1 % 32u);
}

/* The line is idle, or a damaged byte arrived, which the frame's CRC reveals. The end of the core's sleep is all that matters. */
void uart_interrupt(void)
{
    USART1_ICR = USART_ICR_ALL_ERRORS | USART_ICR_IDLECF;
}

/* Where the next byte goes. */
static size_t in(void)
{
    return (RING - DMA1_CNDTR1) % RING;
}

static size_t take(uint8_t *bytes, size_t room)
{
    size_t end = in(), count = 0;

    while (count < room && out != end) {
        bytes[count++] = ring[out];
        out = (out + 1u) % RING;
    }
    return count;
}

void platform_uart_send(const uint8_t *bytes, size_t count)
{
    while (count-- > 0) {
        while ((USART1_ISR & USART_ISR_TXFNF) == 0)
            ;
        USART1_TDR = *bytes++;
    }
}

size_t platform_uart_receive(uint8_t *bytes, size_t room, uint32_t within_ms)
{
    uint32_t begun = time_ms();
    size_t count;

    time_wake_at(begun + within_ms);
    while ((count = take(bytes, room)) == 0 && !time_is_over(begun, within_ms)) {
        cpu_interrupts_off();
        if (out == in() && !time_is_over(begun, within_ms))
            cpu_sleep(); /* a masked interrupt still ends the sleep, so none is missed */
        cpu_interrupts_on();
    }
    return count;
}
