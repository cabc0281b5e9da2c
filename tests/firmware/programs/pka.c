/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the public key accelerator's memory, with all operands and their offsets, whenever the port starts it. */

#include "platform.h"

#include <stdio.h>
#include <string.h>

#define BASE 0x58002000u
#define WORDS (0x1200u / 4)

static uint32_t ram[WORDS];
static uint32_t semaphore = 0x80000400u, released, now, elsewhere;

bool platform_random(uint8_t *bytes, size_t count)
{
    memset(bytes, 0x5A, count);
    return true;
}

static void show(void)
{
    printf("mode %02x\n", (unsigned)(ram[0] >> 8 & 0x3F));
    for (unsigned i = 0x400 / 4; i < WORDS; i++)
        if (ram[i] != 0xEEEEEEEE)
            printf("%03x %08x\n", 4 * i, (unsigned)ram[i]);
}

volatile uint32_t *fake_register(uint32_t address)
{
    if (address >= BASE && address < BASE + sizeof ram) {
        if ((ram[0] & 2) != 0) { /* the previous access started it */
            show();
            ram[0] &= ~2u;
            ram[1] = 1u << 17;
            ram[0xEE8 / 4] = 0;
            ram[0x5B0 / 4] = 0;
        }
        return &ram[(address - BASE) / 4];
    }
    if (address == 0x58001484) /* one-step lock of semaphore 1 */
        return &semaphore;
    if (address == 0x58001404)
        return &released;
    if (address == 0x40000024)
        return &now;
    return &elsewhere;
}

uint32_t time_ms(void)
{
    return now;
}

bool time_is_over(uint32_t begun, uint32_t within_ms)
{
    return now++ - begun >= within_ms;
}

bool semaphore_take(unsigned number)
{
    printf("takes %u\n", number);
    return true;
}

void semaphore_release(unsigned number)
{
    printf("releases %u\n", number);
}

int main(void)
{
    uint8_t numbers[5][65];
    uint8_t out[65];
    bool valid;

    for (unsigned i = 0; i < 5; i++)
        for (unsigned j = 0; j < 65; j++)
            numbers[i][j] = (uint8_t)(16 * (i + 1) + j % 16);
    memset(ram, 0xEE, sizeof ram);
    ram[0] = ram[1] = ram[2] = 0;

    printf("multiply\n");
    (void)platform_p256_public(numbers[0], out);
    printf("private key left %08x\n", (unsigned)ram[0x508 / 4]);

    memset(ram + 0x400 / 4, 0xEE, sizeof ram - 0x400);
    printf("sign\n");
    (void)platform_p256_sign(numbers[0], numbers[1], out);
    printf("private key left %08x\nsecret number left %08x\n", (unsigned)ram[0xE3C / 4], (unsigned)ram[0x508 / 4]);

    memset(ram + 0x400 / 4, 0xEE, sizeof ram - 0x400);
    printf("verify\n");
    (void)platform_p256_verify(numbers[2], numbers[3], numbers[4], &valid);
    return 0;
}
