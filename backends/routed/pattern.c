#include "backends/routed/pattern.h"

#include <ctype.h>
#include <string.h>

bool routed_pattern_is_valid(struct slice text)
{
	if (text.len == 0 || text.len > ROUTED_PATTERN_MAX_LEN)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (!isalnum((unsigned char)text.data[i]) && !memchr("_.-*?", text.data[i], 5))
			return false;
	return true;
}

/* After a mismatch the last * takes one more character; earlier ones need not be tried again. */
bool routed_pattern_matches(struct slice pattern, struct slice name)
{
	size_t at = 0, star = pattern.len, star_name = 0;

	for (size_t i = 0; i < name.len;) {
		if (at < pattern.len && pattern.data[at] == '*') {
			star = at++;
			star_name = i;
		} else if (at < pattern.len &&
			   (pattern.data[at] == '?' || pattern.data[at] == name.data[i])) {
			at++;
			i++;
		} else if (star < pattern.len) {
			at = star + 1;
			i = ++star_name;
		} else {
			return false;
		}
	}
	while (at < pattern.len && pattern.data[at] == '*')
		at++;
	return at == pattern.len;
}
