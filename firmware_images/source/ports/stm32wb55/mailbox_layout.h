/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of the two cores in shared memory: ST's mailbox, as its tl.h, mbox_def.h and shci.h lay it out. */

#ifndef PORT_MAILBOX_LAYOUT_H
#define PORT_MAILBOX_LAYOUT_H

#include <stdint.h>

/* Channels; a command and its answer share one, and a buffer. */
#define MAILBOX_SYSTEM 2u
#define MAILBOX_THREAD 3u

/* A packet: two list pointers (8), type (1), then a command's code (2), length (1) and payload, ... */
#define PACKET_TYPE_AT 8u
#define PACKET_CODE_AT 9u
#define PACKET_LENGTH_AT 11u
#define PACKET_COMMAND_AT 12u
/* ... or an event's code (1), length (1) and payload. */
#define PACKET_EVENT_AT 11u
#define PACKET_SIZE (PACKET_COMMAND_AT + 255u)

#define TYPE_THREAD_COMMAND 0x08u
#define TYPE_SYSTEM_COMMAND 0x10u

#define CODE_THREAD_COMMAND 0x0280u
#define CODE_THREAD_INIT 0xFC67u

/* The answer to a system command has no list pointers before its type: type, event code, length, then the event: count of
   commands (1), code (2), status (1). */
#define SYSTEM_STATUS_AT 6u

/* Payload of a Thread command: identifier (4), number of arguments (4), arguments (4 each). Its answer: the same. */
#define THREAD_ID_AT 0u
#define THREAD_COUNT_AT 4u
#define THREAD_ARGUMENTS_AT 8u

#define STORE_PRIVATE_KEY 0x2E4u /* otCksDacInitialize: pointer to 32 bytes */
#define SIGN_MESSAGE 0x2E5u      /* otCksDacSignature: pointers to message, public key and signature; see `sign` */

/* An event of the system channel, in a list: pointers (8), type (1), event code (1), length (1), sub-code (2), payload. */
#define EVENT_SUBCODE_AT 11u
#define EVENT_PAYLOAD_AT 13u
#define SUBCODE_READY 0x9200u
#define READY_WIRELESS_STACK 0u /* other values: the coprocessor runs its upgrade service */

struct list {
    struct list *next, *previous;
};

struct ble_table {
    void *command, *event, *queue, *acl;
};

struct thread_table {
    uint8_t *notification, *cli, *command, *cli_notification;
};

struct system_table {
    uint8_t *command;
    struct list *events;
};

struct memory_table {
    uint8_t *spare_ble, *spare_system, *pool;
    uint32_t pool_size;
    struct list *free;
    uint8_t *traces;
    uint32_t traces_size;
};

struct device_table {
    uint32_t safe_boot, fus[3], wireless[4];
};

/* The addresses of all tables, at the start of SRAM2a. */
struct reference_table {
    struct device_table *device;
    struct ble_table *ble;
    struct thread_table *thread;
    struct system_table *system;
    struct memory_table *memory;
    void *traces, *mac, *zigbee, *lld, *ble_lld;
};

#endif
