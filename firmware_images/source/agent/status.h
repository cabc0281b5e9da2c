/* SPDX-License-Identifier: Apache-2.0 */
/* The statuses of the provisioning link, version 1. */

#ifndef AGENT_STATUS_H
#define AGENT_STATUS_H

enum agent_status {
    AGENT_OK = 0, /* 0 to 4 are ST's codes, as in `finish:NNN` */
    AGENT_NO_FACTORY_DATA = 1,
    AGENT_TOO_SMALL = 2,
    AGENT_PARAMETER = 3,
    AGENT_SECURE_STORAGE = 4,
    AGENT_NOT_MY_KEY = 5,
    AGENT_CRYPTO = 6,
    AGENT_FLASH = 7,
    AGENT_NO_KEY = 8,
    AGENT_UNKNOWN_QUESTION = 9,
    AGENT_OTHER_DAC = 10,
};

#endif
