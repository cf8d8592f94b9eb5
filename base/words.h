/* Lists of words in one string, separated by single blanks: "frecency lru fifo none". */
#ifndef STEADYCACHE_BASE_WORDS_H
#define STEADYCACHE_BASE_WORDS_H

#include <stdbool.h>

#include "base/slice.h"

/* Returns the first word of *words and moves *words past it. False if no word is left:
 *
 *     for (const char *at = words; words_next(&at, &word);) ... */
bool words_next(const char **words, struct slice *ret);

/* Whether `word` is one of `words`. */
bool words_hold(const char *words, struct slice word);
/* The same, ignoring case. */
bool words_hold_in_any_case(const char *words, const char *word);

#endif
