#include "base/words.h"

bool words_next(const char **words, struct slice *ret)
{
	const char *at = *words;
	size_t len = strcspn(at, " ");

	if (*at == '\0')
		return false;
	*ret = (struct slice){.data = at, .len = len};
	*words = at + len + (at[len] == ' ');
	return true;
}

bool words_hold(const char *words, struct slice word)
{
	struct slice each;

	while (words_next(&words, &each))
		if (slice_equal(each, word))
			return true;
	return false;
}

bool words_hold_in_any_case(const char *words, const char *word)
{
	struct slice each;

	while (words_next(&words, &each))
		if (slice_equal_in_any_case(each, slice_of(word)))
			return true;
	return false;
}
