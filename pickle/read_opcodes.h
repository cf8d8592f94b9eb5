/* The opcodes of the protocols 0 to 5. */
#ifndef STEADYCACHE_PICKLE_READ_OPCODES_H
#define STEADYCACHE_PICKLE_READ_OPCODES_H

#include "pickle/read_machine.h"

/* Runs a new machine from the start of its input to STOP, whose object becomes the root of the
 * graph. False: failed. */
bool pickle_run(struct pickle_machine *machine);

#endif
