/* INVARIANT(cond): something that the code around it relies on. Builds with assertions (debug
 * and sanitizer builds: STEADYCACHE_INVARIANTS, cmake/flags.cmake) stop the process if it does
 * not hold, and clang's analyzer relies on it too. A release build does not evaluate `cond`, which
 * therefore has no side effects. Never use it for what a client or a file can cause: that gets an
 * answer, not an assertion. */
#ifndef STEADYCACHE_BASE_INVARIANT_H
#define STEADYCACHE_BASE_INVARIANT_H

#if defined(STEADYCACHE_INVARIANTS) || defined(__clang_analyzer__)
#include <assert.h>
#define INVARIANT(cond) assert(cond)
#else
#define INVARIANT(cond) ((void)sizeof((cond) ? 1 : 0)) /* names are used, and nothing runs */
#endif

#endif
