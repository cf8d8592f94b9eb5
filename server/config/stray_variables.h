/* Variables of the environment that look like settings of the server and are none: most likely
 * misspelt. */
#ifndef STEADYCACHE_SERVER_STRAY_VARIABLES_H
#define STEADYCACHE_SERVER_STRAY_VARIABLES_H

#include <stddef.h>

/* Writes their names, with blanks between them, to `names`; those that do not fit are left out.
 * Returns how many there are. Thread: none may change the environment meanwhile. */
size_t stray_variables(char *names, size_t size);

#endif
