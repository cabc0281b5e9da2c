/* SPDX-License-Identifier: Apache-2.0 */
#include "certificate.h"

#include <string.h>

enum der_tag {
    DER_INTEGER = 0x02,
    DER_BIT_STRING = 0x03,
    DER_SEQUENCE = 0x30,
    DER_VERSION = 0xA0,    /* [0] */
    DER_EXTENSIONS = 0xA3, /* [3] */
};

/* The unread rest of some DER. After a failure the reader stays empty and failed, so one check at the end is enough. */
struct der {
    const uint8_t *at;
    size_t left;
    bool failed;
};

static const uint8_t ecdsa_with_sha256[] = {0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x02};
static const uint8_t p256_key[] = {
    0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01,       /* ecPublicKey */
    0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, /* prime256v1 */
    0x00, 0x04,                                                             /* no unused bits; uncompressed */
};

static struct der fail(struct der *der)
{
    *der = (struct der){.failed = true};
    return *der;
}

/* Returns the next element's content and advances `der` past it. */
static struct der take(struct der *der, enum der_tag tag)
{
    struct der content = {.failed = true};
    size_t header = 2, length;

    if (der->failed || der->left < header || der->at[0] != tag)
        return fail(der);
    length = der->at[1];
    if (length > 0x80) { /* the number of length bytes that follow; a certificate of this size needs at most two */
        size_t more = length - 0x80;

        if (more > 2 || der->left < header + more)
            return fail(der);
        length = 0;
        for (size_t i = 0; i < more; i++)
            length = length << 8 | der->at[header + i];
        if (length < 0x80 || (more == 2 && length < 0x100)) /* DER allows only the shortest form of a length */
            return fail(der);
        header += more;
    } else if (length == 0x80) {
        return fail(der);
    }
    if (length > der->left - header)
        return fail(der);
    content = (struct der){.at = der->at + header, .left = length};
    der->at += header + length;
    der->left -= header + length;
    return content;
}

static void pass(struct der *der, enum der_tag tag)
{
    (void)take(der, tag);
}

static struct der take_number(struct der *der)
{
    struct der number = take(der, DER_INTEGER);

    if (number.failed || number.left == 0 || number.at[0] > 0x7F) /* all integers of a certificate are positive */
        return fail(der);
    if (number.at[0] == 0 && number.left > 1) {
        number.at++;
        number.left--;
    }
    return number;
}

static bool holds(struct der der, const uint8_t *bytes, size_t count)
{
    return !der.failed && der.left == count && memcmp(der.at, bytes, count) == 0;
}

static bool read_half(uint8_t half[32], struct der *signature)
{
    struct der number = take_number(signature);

    if (number.failed || number.left > 32)
        return false;
    memset(half, 0, 32);
    memcpy(half + 32 - number.left, number.at, number.left);
    return true;
}

/* Ecdsa-Sig-Value in a BIT STRING. */
static bool read_signature(uint8_t signature[64], struct der bits)
{
    struct der inside;

    if (bits.failed || bits.left == 0 || bits.at[0] != 0)
        return false;
    bits.at++;
    bits.left--;
    inside = take(&bits, DER_SEQUENCE);
    return bits.left == 0 && read_half(signature, &inside) && read_half(signature + 32, &inside) && inside.left == 0;
}

static const uint8_t *point_in(struct der key)
{
    const size_t before = sizeof p256_key - 1; /* the point includes the 04 */

    if (key.left != before + 65 || memcmp(key.at, p256_key, sizeof p256_key) != 0)
        return NULL;
    return key.at + before;
}

enum agent_status agent_certificate_read(struct agent_certificate *certificate, const uint8_t *der, size_t length)
{
    struct der all = {.at = der, .left = length};
    struct der parts = take(&all, DER_SEQUENCE);
    const uint8_t *body_at = parts.at;
    struct der body = take(&parts, DER_SEQUENCE);
    size_t body_length = parts.failed ? 0 : (size_t)(parts.at - body_at);
    struct der algorithm = take(&parts, DER_SEQUENCE);
    struct der signature = take(&parts, DER_BIT_STRING);
    struct der serial_number, key;

    pass(&body, DER_VERSION); /* version 1 lacks [0], but Matter does not use version 1 */
    serial_number = take_number(&body);
    pass(&body, DER_SEQUENCE); /* signature algorithm, repeated */
    pass(&body, DER_SEQUENCE); /* issuer */
    pass(&body, DER_SEQUENCE); /* validity */
    pass(&body, DER_SEQUENCE); /* subject */
    key = take(&body, DER_SEQUENCE);
    if (body.left > 0)
        pass(&body, DER_EXTENSIONS);
    if (all.failed || all.left > 0 || parts.failed || parts.left > 0 || body.failed || body.left > 0)
        return AGENT_PARAMETER;

    certificate->body = body_at;
    certificate->body_length = body_length;
    certificate->serial_number = serial_number.at;
    certificate->serial_number_length = serial_number.left;
    certificate->public_key = point_in(key);
    certificate->is_ecdsa_sha256 = holds(algorithm, ecdsa_with_sha256, sizeof ecdsa_with_sha256) &&
                                   read_signature(certificate->signature, signature);
    return AGENT_OK;
}
