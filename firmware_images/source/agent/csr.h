/* SPDX-License-Identifier: Apache-2.0 */
/* The certificate request: PKCS#10 (RFC 2986), its subject as in the Matter Core Specification, 6.5.6.1. */

#ifndef AGENT_CSR_H
#define AGENT_CSR_H

#include <stddef.h>
#include <stdint.h>

#define AGENT_CSR_BODY 145u /* CertificationRequestInfo, the signed part */
#define AGENT_CSR_MAX 235u

/* Writes the signed part. */
void agent_csr_body(uint8_t body[AGENT_CSR_BODY], uint16_t vendor_id, uint16_t product_id, const uint8_t public_key[65]);

/* Writes the whole request. Returns its length. */
size_t agent_csr(uint8_t csr[AGENT_CSR_MAX], const uint8_t body[AGENT_CSR_BODY], const uint8_t signature[64]);

#endif
