/* What each backend of the registry is, promises and can do, from its bits, as a table for people
 * (docs/backends.md). */
#ifndef STEADYCACHE_SERVER_CAPABILITIES_H
#define STEADYCACHE_SERVER_CAPABILITIES_H

#include <stdio.h>

/* Prints it as Markdown. */
void capabilities_print(FILE *out);

/* The bits of enum backend_bits that the table has a row for, or leaves out on purpose. */
unsigned capabilities_known_bits(void);

#endif
