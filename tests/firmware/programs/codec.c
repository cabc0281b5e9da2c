/* SPDX-License-Identifier: Apache-2.0 */
/* Calls the agent's pure parts for a test: each input line is `PART HEX`, each output line its result. */

#include "certificate.h"
#include "csr.h"
#include "frames.h"
#include "sha256.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM 8192u

static size_t from_hex(uint8_t *bytes, const char *text)
{
    size_t count = 0;
    unsigned byte;

    for (; sscanf(text, "%2x", &byte) == 1; text += 2)
        bytes[count++] = (uint8_t)byte;
    return count;
}

static void print(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        printf("%02x", bytes[i]);
}

/* The bodies of all frames in a stream, separated by blanks. */
static void decode(const uint8_t *stream, size_t count)
{
    static struct agent_frame_reader reader;
    const char *between = "";

    memset(&reader, 0, sizeof reader);
    for (size_t i = 0; i < count; i++) {
        size_t length = agent_frame_feed(&reader, stream[i]);

        if (length > 0) {
            printf("%s", between);
            print(reader.body, length);
            between = " ";
        }
    }
}

/* Serial number, public key, signature and signed part; `-` for a missing one. */
static void read_certificate(const uint8_t *der, size_t length)
{
    /* At the end of its allocation, so that the sanitizer sees a read past it. */
    uint8_t *exact = malloc(length > 0 ? length : 1);
    struct agent_certificate certificate;

    memcpy(exact, der, length);
    if (agent_certificate_read(&certificate, exact, length) != AGENT_OK) {
        printf("refused");
    } else {
        print(certificate.serial_number, certificate.serial_number_length);
        printf(" ");
        if (certificate.public_key != NULL)
            print(certificate.public_key, 65);
        else
            printf("-");
        printf(" ");
        if (certificate.is_ecdsa_sha256)
            print(certificate.signature, 64);
        else
            printf("-");
        printf(" ");
        print(certificate.body, certificate.body_length);
    }
    free(exact);
}

/* A request for VID FFF1 and PID 8004 over public key and signature (65 + 64), and the common name behind them. */
static void write_csr(const uint8_t *parts, size_t count)
{
    struct agent_csr_subject subject = {parts + 129, count - 129, 0xFFF1, 0x8004};
    uint8_t body[AGENT_CSR_BODY_MAX], csr[AGENT_CSR_MAX];
    size_t size = agent_csr_body(body, &subject, parts);

    print(csr, agent_csr(csr, body, size, parts + 65));
}

int main(void)
{
    static char line[2 * ROOM + 64];
    static uint8_t bytes[ROOM], out[ROOM + 128];

    while (fgets(line, sizeof line, stdin) != NULL) {
        char *hex = strchr(line, ' ');
        size_t count;

        if (hex == NULL)
            return EXIT_FAILURE;
        *hex++ = '\0';
        count = from_hex(bytes, hex);
        if (strcmp(line, "sha256") == 0) {
            agent_sha256(bytes, count, out);
            print(out, AGENT_SHA256_SIZE);
        } else if (strcmp(line, "crc32") == 0) {
            printf("%08x", (unsigned)agent_crc32(bytes, count));
        } else if (strcmp(line, "encode") == 0) {
            print(out, agent_frame_encode(out, bytes, count));
        } else if (strcmp(line, "decode") == 0) {
            decode(bytes, count);
        } else if (strcmp(line, "certificate") == 0) {
            read_certificate(bytes, count);
        } else if (strcmp(line, "csr") == 0) {
            write_csr(bytes, count);
        } else {
            return EXIT_FAILURE;
        }
        printf("\n");
    }
    return EXIT_SUCCESS;
}
