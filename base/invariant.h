/* INVARIANT(cond): what the code around it relies on. Builds with assertions (debug and sanitizer
 * builds: STEADYCACHE_INVARIANTS, cmake/flags.cmake) stop the process where it does not hold. A
 * release build does not evaluate `cond`, which therefore has no side effects. Never for what a
 * client or a file can cause: that is answered, not asserted. */
#ifndef STEADYCACHE_BASE_INVARIANT_H
#define STEADYCACHE_BASE_INVARIANT_H

#ifdef STEADYCACHE_INVARIANTS
#include <assert.h>
#define INVARIANT(cond) assert(cond)
#else
#define INVARIANT(cond) ((void)0)
#endif

#endif
