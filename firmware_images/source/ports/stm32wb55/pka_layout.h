/* SPDX-License-Identifier: Apache-2.0 */
/* Offsets of the public key accelerator's operands from the base of its registers (RM0434; stm32wb55xx.h). */

#ifndef PORT_PKA_LAYOUT_H
#define PORT_PKA_LAYOUT_H

/* Numbers are little-endian words, least significant first, followed by a word of zero. */
#define PKA_WORDS 8u /* of a number of P-256 */

#define PKA_MODE_MULTIPLY 0x20u
#define PKA_MODE_SIGN 0x24u
#define PKA_MODE_VERIFY 0x26u

/* Scalar multiplication. Result in place of the point. */
#define PKA_MULTIPLY_SCALAR_BITS 0x400u
#define PKA_MULTIPLY_MODULUS_BITS 0x404u
#define PKA_MULTIPLY_A_SIGN 0x408u /* 1: a is negative, and its magnitude follows */
#define PKA_MULTIPLY_A 0x40Cu
#define PKA_MULTIPLY_P 0x460u
#define PKA_MULTIPLY_K 0x508u
#define PKA_MULTIPLY_X 0x55Cu
#define PKA_MULTIPLY_Y 0x5B0u

/* ECDSA signature */
#define PKA_SIGN_ORDER_BITS 0x400u
#define PKA_SIGN_MODULUS_BITS 0x404u
#define PKA_SIGN_A_SIGN 0x408u
#define PKA_SIGN_A 0x40Cu
#define PKA_SIGN_P 0x460u
#define PKA_SIGN_K 0x508u
#define PKA_SIGN_GX 0x55Cu
#define PKA_SIGN_GY 0x5B0u
#define PKA_SIGN_HASH 0xDE8u
#define PKA_SIGN_D 0xE3Cu
#define PKA_SIGN_N 0xE94u
#define PKA_SIGN_ERROR 0xEE8u
#define PKA_SIGN_R 0x700u
#define PKA_SIGN_S 0x754u

/* ECDSA verification */
#define PKA_VERIFY_ORDER_BITS 0x404u
#define PKA_VERIFY_MODULUS_BITS 0x4B4u
#define PKA_VERIFY_A_SIGN 0x45Cu
#define PKA_VERIFY_A 0x460u
#define PKA_VERIFY_P 0x4B8u
#define PKA_VERIFY_GX 0x5E8u
#define PKA_VERIFY_GY 0x63Cu
#define PKA_VERIFY_QX 0xF40u
#define PKA_VERIFY_QY 0xF94u
#define PKA_VERIFY_R 0x1098u
#define PKA_VERIFY_S 0xA44u
#define PKA_VERIFY_HASH 0xFE8u
#define PKA_VERIFY_N 0xD5Cu
#define PKA_VERIFY_RESULT 0x5B0u /* 0: the signature is valid */

#endif
