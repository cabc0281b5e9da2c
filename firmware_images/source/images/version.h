/* SPDX-License-Identifier: Apache-2.0 */
/* The version that all images of this tree have; it is in manifest.toml, too. */

#ifndef IMAGES_VERSION_H
#define IMAGES_VERSION_H

#define IMAGE_VERSION "1.1.1"

#endif
