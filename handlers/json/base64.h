/* Values in base64. */
#ifndef STEADYCACHE_HANDLERS_BASE64_H
#define STEADYCACHE_HANDLERS_BASE64_H

#include "base/value.h"

enum base64_outcome { BASE64_GOOD, BASE64_BAD, BASE64_NO_MEMORY };

/* Decodes standard base64, padding required, into a sealed value. NULL: *ret says why. */
struct cache_value *base64_value(struct slice text, struct slice content_type,
				 struct cache_headroom headroom, enum base64_outcome *ret);

#endif
