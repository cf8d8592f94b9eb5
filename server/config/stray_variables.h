/* Variables of the environment that look like settings of the server but are not: most likely
 * misspelt. */
#ifndef STEADYCACHE_SERVER_STRAY_VARIABLES_H
#define STEADYCACHE_SERVER_STRAY_VARIABLES_H

#include <stddef.h>

/* Writes their names, separated by blanks, to `names`, leaving out those that do not fit. Returns
 * how many there are. No thread may change the environment meanwhile. */
size_t stray_variables(char *names, size_t size);

#endif
