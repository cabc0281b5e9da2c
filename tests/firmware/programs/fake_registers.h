/* SPDX-License-Identifier: Apache-2.0 */
/* Puts memory of the test's own where the port's registers are, and nothing where the core's instructions are. */

#ifndef FAKE_REGISTERS_H
#define FAKE_REGISTERS_H

#include <stdint.h>

volatile uint32_t *fake_register(uint32_t address);

#define REGISTER(address) (*fake_register((uint32_t)(address)))

#define PORT_CPU_H
#define cpu_interrupts_off()
#define cpu_interrupts_on()
#define cpu_sleep()
#define cpu_barrier()

#endif
