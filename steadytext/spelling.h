/* Keys as Pythons of different releases print them: what repr() escapes depends on the Unicode
 * version. A spelling stands for one release, of those that SteadyText runs on: 3.10 to 3.13. */
#ifndef STEADYCACHE_STEADYTEXT_SPELLING_H
#define STEADYCACHE_STEADYTEXT_SPELLING_H

#include "pickle/python_text.h"

/* They are numbered from 0, by release. What one prints unescaped, a later one does too: so where
 * the first and the last print the same, all do. */
#define STEADYTEXT_SPELLINGS 4

static inline enum python_release steadytext_spelling_release(unsigned spelling)
{
	return (enum python_release)(PYTHON_3_10 + spelling);
}

#endif
