/* Outcomes in the words of the public interface. */
#ifndef STEADYCACHE_LIBRARY_STATUS_H
#define STEADYCACHE_LIBRARY_STATUS_H

#include "base/status.h"
#include "steadycache/steadycache.h"

enum steadycache_status library_status_of(enum cache_status status);

#endif
