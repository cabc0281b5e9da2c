/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the port's writes to the memory that it shares with the coprocessor, and answers its commands. */

#include "ports/stm32wb55/mailbox.c" /* included, since its table is static */

#include <stdio.h>

static uint32_t set, busy, theirs, pwr, elsewhere, now;
static bool is_booted;
static _Alignas(8) uint8_t ready[16] = {[8] = 0x12, [9] = 0xFF, [10] = 3, [11] = 0x00, [12] = 0x92, [13] = 0x00};
static uint32_t result;

static void print(const char *what, const uint8_t *bytes, size_t count)
{
    printf("%s ", what);
    for (size_t i = 0; i < count; i++)
        printf("%02x", bytes[i]);
    printf("\n");
}

/* Follows the coprocessor's path from the table to the buffer. */
static void answer(void)
{
    if ((set & 1u << 17) != 0) { /* channel 2 */
        uint8_t *packet = table.system->command;

        print("system command", packet, 12);
        memcpy(packet, (uint8_t[]){0x11, 0x0E, 4, 1, 0x67, 0xFC, 0}, 7);
    }
    if ((set & 1u << 18) != 0) { /* channel 3 */
        uint8_t *packet = table.thread->command;

        print("thread command", packet, 12);
        print("payload", packet + 12, 24);
        memset(packet, 0, 64);
        packet[11 + 4] = 1;
        memcpy(packet + 11 + 8, &result, 4);
    }
    set = 0;
    busy = 0;
}

volatile uint32_t *fake_register(uint32_t address)
{
    if (set != 0)
        answer();
    switch (address) {
    case 0x58000C08:
        return &set;
    case 0x58000C0C:
        return &busy;
    case 0x58000C1C:
        if (is_booted && theirs == 0) {
            struct list *heard = table.system->events;

            heard->next = (struct list *)(void *)ready;
            theirs = 2;
        }
        return &theirs;
    case 0x5800040C:
        is_booted = true;
        return &pwr;
    default:
        return &elsewhere;
    }
}

uint32_t time_ms(void)
{
    return now;
}

bool time_is_over(uint32_t begun, uint32_t within_ms)
{
    return now++ - begun >= within_ms;
}

int main(void)
{
    static uint8_t private_key[32], public_key[65], message[59], signature[64];

    coprocessor_start();
    printf("store %d\n", (int)platform_secure_store(private_key));
    result = 1;
    printf("store %d\n", (int)platform_secure_store(private_key));
    result = 0;
    printf("sign %d\n", (int)platform_secure_sign(public_key, message, sizeof message, signature));
    printf("addresses %08x %08x %08x %08x\n", (unsigned)(uintptr_t)private_key, (unsigned)(uintptr_t)message,
           (unsigned)(uintptr_t)public_key, (unsigned)(uintptr_t)signature);
    return 0;
}
