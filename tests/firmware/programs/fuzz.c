/* SPDX-License-Identifier: Apache-2.0 */
/* Hands spoiled input to the agent's parsers: `fuzz SEED SECONDS INPUTS` tries so many, and more until the
   seconds are over. With -DLIBFUZZER the input comes from clang's engine instead.

   The first byte of an input chooses the parser: frames from the UART, the factory data's list, a certificate. */

#define _POSIX_C_SOURCE 200809L

#include "certificate.h"
#include "factory_data.h"
#include "frames.h"
#include "platform.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static uint8_t sector[65536];

void platform_flash_read(enum platform_flash flash, uint32_t offset, uint8_t *bytes, size_t count)
{
    assert(flash == PLATFORM_FACTORY_DATA && offset + count <= sizeof sector);
    memcpy(bytes, sector + offset, count);
}

bool platform_flash_write(enum platform_flash flash, uint32_t offset, const uint8_t *bytes, size_t count)
{
    assert(flash == PLATFORM_FACTORY_DATA && offset + count <= sizeof sector);
    for (size_t i = 0; i < count; i++)
        sector[offset + i] &= bytes[i];
    return true;
}

bool platform_flash_erase(enum platform_flash flash)
{
    assert(flash == PLATFORM_FACTORY_DATA);
    memset(sector, 0xFF, sizeof sector);
    return true;
}

/* A decoded body, encoded again, must decode to the same body. */
static void try_frames(const uint8_t *input, size_t size)
{
    static struct agent_frame_reader reader, again;
    static uint8_t frame[AGENT_FRAME_SIZE(AGENT_BODY_MAX)];

    memset(&reader, 0, sizeof reader);
    for (size_t i = 0; i < size; i++) {
        size_t length = agent_frame_feed(&reader, input[i]), read = 0, written;

        assert(length <= AGENT_BODY_MAX);
        if (length == 0)
            continue;
        memset(&again, 0, sizeof again);
        written = agent_frame_encode(frame, reader.body, length);
        assert(written <= AGENT_FRAME_SIZE(length));
        for (size_t j = 0; j < written; j++)
            read = agent_frame_feed(&again, frame[j]);
        assert(read == length && memcmp(again.body, reader.body, length) == 0);
    }
}

/* Values that the reader finds must be within the block, and must still be found after an append. */
static void try_list(const uint8_t *input, size_t size)
{
    static const uint8_t value[65] = {4};
    const struct agent_record record = {AGENT_TAG_PUBLIC_KEY, value, sizeof value};
    struct agent_data data, after;

    memset(sector, 0xFF, sizeof sector);
    memcpy(sector, input, size < AGENT_DATA_BLOCK ? size : AGENT_DATA_BLOCK);
    if (agent_data_read(&data) != AGENT_OK)
        return;
    assert((uint32_t)data.vendor_id.offset + data.vendor_id.length <= data.end && data.end + 4u <= AGENT_DATA_BLOCK);
    if (data.end > 8 && agent_data_append(&data, &record, 1) == AGENT_OK) {
        assert(agent_data_read(&after) == AGENT_OK && after.end == data.end + 8u + sizeof value);
        assert(memcmp(&after.vendor_id, &data.vendor_id, sizeof data.vendor_id) == 0 && after.public_key.length > 0);
    }
}

static void try_certificate(const uint8_t *input, size_t size)
{
    uint8_t *exact = malloc(size > 0 ? size : 1); /* so that the sanitizer sees a read past it */
    struct agent_certificate certificate;

    assert(exact != NULL);
    memcpy(exact, input, size);
    if (agent_certificate_read(&certificate, exact, size) == AGENT_OK) {
        assert(certificate.body >= exact && certificate.body + certificate.body_length <= exact + size);
        assert(certificate.public_key == NULL || certificate.public_key + 65 <= exact + size);
    }
    free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    static void (*const parsers[])(const uint8_t *, size_t) = {try_frames, try_list, try_certificate};

    if (size > 0)
        parsers[input[0] % 3](input + 1, size - 1);
    return 0;
}

#ifndef LIBFUZZER

#define SAMPLES 64u
#define SAMPLE 8192u

static uint8_t samples[SAMPLES][SAMPLE];
static size_t sizes[SAMPLES];
static unsigned count;
static uint64_t state;

static unsigned chance(unsigned below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 32) % below;
}

/* Good inputs, one line of hexadecimal digits each. */
static void read_samples(void)
{
    static char line[2 * SAMPLE + 2];
    unsigned byte;

    while (count < SAMPLES && fgets(line, sizeof line, stdin) != NULL) {
        for (const char *at = line; sscanf(at, "%2x", &byte) == 1; at += 2)
            samples[count][sizes[count]++] = (uint8_t)byte;
        count++;
    }
}

static size_t spoil(uint8_t *input, size_t size)
{
    static const uint8_t telling[] = {0x00, 0x01, 0x7F, 0x80, 0x81, 0x82, 0xAC, 0xFE, 0xFF};

    for (unsigned left = 1 + chance(4); left > 0 && size > 1; left--) {
        size_t at = 1 + chance((unsigned)size - 1);

        switch (chance(5)) {
        case 0:
            input[at] ^= (uint8_t)(1u << chance(8));
            break;
        case 1:
            input[at] = telling[chance(sizeof telling)];
            break;
        case 2:
            size = at;
            break;
        case 3: /* repeat a piece */
            memmove(input + at, input + 1 + chance((unsigned)at), size - at);
            break;
        default:
            input[at] = (uint8_t)chance(256);
        }
    }
    return size;
}

int main(int arguments, char *argument[])
{
    static uint8_t input[SAMPLE];
    unsigned long done = 0, inputs;
    time_t ends;

    if (arguments != 4)
        return 2;
    state = strtoul(argument[1], NULL, 10) + 88172645463325252u;
    ends = time(NULL) + atoi(argument[2]);
    inputs = strtoul(argument[3], NULL, 10);
    read_samples();
    assert(count > 0);
    while (done < inputs || done % 1000 != 0 || time(NULL) < ends) {
        unsigned sample = chance(count);

        memcpy(input, samples[sample], sizes[sample]);
        (void)LLVMFuzzerTestOneInput(input, spoil(input, sizes[sample]));
        done++;
    }
    printf("%lu inputs\n", done);
    return 0;
}

#endif
