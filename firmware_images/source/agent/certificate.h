/* SPDX-License-Identifier: Apache-2.0 */
/* The part of an X.509 certificate that the board needs: its issuer's signature, and the subject's key. */

#ifndef AGENT_CERTIFICATE_H
#define AGENT_CERTIFICATE_H

#include "status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct agent_certificate {
    const uint8_t *body; /* TBSCertificate, the part that the issuer signed */
    size_t body_length;
    const uint8_t *serial_number; /* without a leading zero byte */
    size_t serial_number_length;
    const uint8_t *public_key; /* 65 bytes; NULL if it is not an uncompressed point of P-256 */
    uint8_t signature[64];     /* r and s */
    bool is_ecdsa_sha256;      /* false: `signature` is not set */
};

/* The result points into `der`. Returns AGENT_PARAMETER unless all of `der` is one certificate. */
enum agent_status agent_certificate_read(struct agent_certificate *certificate, const uint8_t *der, size_t length);

#endif
