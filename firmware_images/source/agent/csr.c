/* SPDX-License-Identifier: Apache-2.0 */
#include "csr.h"

#include <string.h>

#define VENDOR_ID_AT 26u
#define PRODUCT_ID_AT 48u
#define PUBLIC_KEY_AT 78u

/* Every length is fixed, so the request is a template with gaps. */
static const uint8_t form[AGENT_CSR_BODY] = {
    0x30, 0x81, 0x8E,                                                               /* CertificationRequestInfo */
    0x02, 0x01, 0x00,                                                               /* version 1 */
    0x30, 0x2C,                                                                     /* subject: */
    0x31, 0x14, 0x30, 0x12,                                                         /* its first name */
    0x06, 0x0A, 0x2B, 0x06, 0x01, 0x04, 0x01, 0x82, 0xA2, 0x7C, 0x02, 0x01,         /* is Matter's vendor id */
    0x0C, 0x04, 0,    0,    0,    0,                                                /* UTF8String: VENDOR_ID_AT */
    0x31, 0x14, 0x30, 0x12,                                                         /* its second name */
    0x06, 0x0A, 0x2B, 0x06, 0x01, 0x04, 0x01, 0x82, 0xA2, 0x7C, 0x02, 0x02,         /* is Matter's product id */
    0x0C, 0x04, 0,    0,    0,    0,                                                /* PRODUCT_ID_AT */
    0x30, 0x59, 0x30, 0x13,                                                         /* SubjectPublicKeyInfo: */
    0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01,                           /* ecPublicKey */
    0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07,                     /* prime256v1 */
    0x03, 0x42, 0x00,                                                               /* BIT STRING: PUBLIC_KEY_AT */
    [PUBLIC_KEY_AT + 65] = 0xA0, 0x00,                                              /* no attributes */
};

static const uint8_t ecdsa_with_sha256[] = {0x30, 0x0A, 0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x02};

static void put_id(uint8_t *text, uint16_t id)
{
    for (unsigned i = 0; i < 4; i++)
        text[i] = (uint8_t)"0123456789ABCDEF"[id >> (12 - 4 * i) & 15];
}

void agent_csr_body(uint8_t body[AGENT_CSR_BODY], uint16_t vendor_id, uint16_t product_id, const uint8_t public_key[65])
{
    memcpy(body, form, sizeof form);
    put_id(body + VENDOR_ID_AT, vendor_id);
    put_id(body + PRODUCT_ID_AT, product_id);
    memcpy(body + PUBLIC_KEY_AT, public_key, 65);
}

/* Writes an INTEGER, with a leading zero only if that keeps it positive. Returns its end. */
static uint8_t *put_number(uint8_t *at, const uint8_t half[32])
{
    unsigned skipped = 0;
    uint8_t zero, length;

    while (skipped < 31 && half[skipped] == 0)
        skipped++;
    zero = half[skipped] > 0x7F;
    length = (uint8_t)(32 - skipped);
    *at++ = 0x02;
    *at++ = (uint8_t)(zero + length);
    if (zero)
        *at++ = 0;
    memcpy(at, half + skipped, length);
    return at + length;
}

size_t agent_csr(uint8_t csr[AGENT_CSR_MAX], const uint8_t body[AGENT_CSR_BODY], const uint8_t signature[64])
{
    uint8_t *at = csr + 3;
    uint8_t *bits, *numbers, *end;

    memcpy(at, body, AGENT_CSR_BODY);
    at += AGENT_CSR_BODY;
    memcpy(at, ecdsa_with_sha256, sizeof ecdsa_with_sha256);
    bits = at + sizeof ecdsa_with_sha256;
    numbers = bits + 3;
    end = put_number(put_number(numbers + 2, signature), signature + 32);

    numbers[0] = 0x30;
    numbers[1] = (uint8_t)(end - numbers - 2);
    bits[0] = 0x03;
    bits[1] = (uint8_t)(end - bits - 2);
    bits[2] = 0; /* no unused bits */
    csr[0] = 0x30;
    csr[1] = 0x81; /* the content is always longer than 127 bytes and shorter than 256 */
    csr[2] = (uint8_t)(end - csr - 3);
    return (size_t)(end - csr);
}
