/* Calls that are nothing but another spelling of a value, as protocols 0 to 3 have them. */
#ifndef STEADYCACHE_PICKLE_READ_KNOWN_H
#define STEADYCACHE_PICKLE_READ_KNOWN_H

#include "pickle/read_machine.h"

/* The value of callable(*arguments) in *ret; NULL in *ret: it is no such call. False: failed. */
bool pickle_known_call(struct pickle_machine *machine, const struct pickle_node *callable,
		       const struct pickle_node *arguments, struct pickle_node **ret);

#endif
