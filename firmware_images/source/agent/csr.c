/* SPDX-License-Identifier: Apache-2.0 */
#include "csr.h"

#include <string.h>

#define BODY_LENGTH_AT 2u
#define SUBJECT_LENGTH_AT 7u
#define SUBJECT_AT 8u
#define VENDOR_ID_AT 26u
#define PRODUCT_ID_AT 48u
#define PUBLIC_KEY_AT 78u
#define NAME_HEADER 11u /* of a common name */

/* Every length but that of the common name is fixed, so the request is a template with gaps. */
static const uint8_t form[145] = {
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

/* Writes the common name as the subject's first name. Returns its size; all its lengths are below 128. */
static size_t put_common_name(uint8_t *at, const uint8_t *name, size_t length)
{
    const uint8_t header[NAME_HEADER] = {
        0x31, (uint8_t)(length + 9), 0x30, (uint8_t)(length + 7), 0x06, 0x03, 0x55, 0x04, 0x03, /* commonName */
        0x0C, (uint8_t)length,                                                                  /* UTF8String */
    };

    if (length == 0)
        return 0;
    memcpy(at, header, sizeof header);
    memcpy(at + sizeof header, name, length);
    return sizeof header + length;
}

size_t agent_csr_body(uint8_t body[AGENT_CSR_BODY_MAX], const struct agent_csr_subject *subject,
                      const uint8_t public_key[65])
{
    size_t shift = put_common_name(body + SUBJECT_AT, subject->common_name, subject->name_length);

    memcpy(body, form, SUBJECT_AT);
    memcpy(body + SUBJECT_AT + shift, form + SUBJECT_AT, sizeof form - SUBJECT_AT);
    body[BODY_LENGTH_AT] = (uint8_t)(body[BODY_LENGTH_AT] + shift);
    body[SUBJECT_LENGTH_AT] = (uint8_t)(body[SUBJECT_LENGTH_AT] + shift);
    put_id(body + VENDOR_ID_AT + shift, subject->vendor_id);
    put_id(body + PRODUCT_ID_AT + shift, subject->product_id);
    memcpy(body + PUBLIC_KEY_AT + shift, public_key, 65);
    return sizeof form + shift;
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

/* Writes the header of a SEQUENCE whose content, of 128 to 65,535 bytes, begins at csr + 4. Returns the whole length. */
static size_t put_header(uint8_t *csr, size_t length)
{
    csr[0] = 0x30;
    if (length > 0xFF) {
        csr[1] = 0x82;
        csr[2] = (uint8_t)(length >> 8);
        csr[3] = (uint8_t)length;
        return length + 4;
    }
    csr[1] = 0x81;
    csr[2] = (uint8_t)length;
    memmove(csr + 3, csr + 4, length);
    return length + 3;
}

size_t agent_csr(uint8_t csr[AGENT_CSR_MAX], const uint8_t *body, size_t body_length, const uint8_t signature[64])
{
    uint8_t *at = csr + 4;
    uint8_t *bits, *numbers, *end;

    memcpy(at, body, body_length);
    at += body_length;
    memcpy(at, ecdsa_with_sha256, sizeof ecdsa_with_sha256);
    bits = at + sizeof ecdsa_with_sha256;
    numbers = bits + 3;
    end = put_number(put_number(numbers + 2, signature), signature + 32);

    numbers[0] = 0x30;
    numbers[1] = (uint8_t)(end - numbers - 2);
    bits[0] = 0x03;
    bits[1] = (uint8_t)(end - bits - 2);
    bits[2] = 0; /* no unused bits */
    return put_header(csr, (size_t)(end - csr) - 4);
}
