/* Sentences of a backend for the owner of the store. */
#ifndef STEADYCACHE_STORE_NOTICE_H
#define STEADYCACHE_STORE_NOTICE_H

#include "store/backend.h"

/* Reports to the owner that `config` names; printf-like, one sentence of at most 511 bytes. Any
 * thread. */
void notice_send(const struct backend_config *config, enum notice_level level, const char *format,
		 ...) __attribute__((format(printf, 3, 4)));

#endif
