/* SPDX-License-Identifier: Apache-2.0 */
/* The certificate request: PKCS#10 (RFC 2986), its subject as in the Matter Core Specification, 6.5.6.1. */

#ifndef AGENT_CSR_H
#define AGENT_CSR_H

#include <stddef.h>
#include <stdint.h>

#define AGENT_CSR_NAME_MAX 32u  /* a serial number's longest, Matter Core Specification, 11.1.5 */
#define AGENT_CSR_BODY_MAX 188u /* CertificationRequestInfo, the signed part */
#define AGENT_CSR_MAX 279u

struct agent_csr_subject {
    const uint8_t *common_name; /* UTF-8 */
    size_t name_length;         /* 0: the subject has no common name */
    uint16_t vendor_id, product_id;
};

/* Writes the signed part. Returns its length. */
size_t agent_csr_body(uint8_t body[AGENT_CSR_BODY_MAX], const struct agent_csr_subject *subject,
                      const uint8_t public_key[65]);

/* Writes the whole request. Returns its length. */
size_t agent_csr(uint8_t csr[AGENT_CSR_MAX], const uint8_t *body, size_t body_length, const uint8_t signature[64]);

#endif
