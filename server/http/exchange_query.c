#include "server/http/exchange_query.h"

void exchange_query_split(struct exchange *exchange, char *at)
{
	at[-1] = '\0';
	exchange->query = at;
	for (; *at != '\0'; at++) {
		if (*at == '&')
			*at = '\0';
		else if (*at == '+')
			*at = ' ';
		else if (*at == QUERY_MARK)
			*at = '?';
	}
	exchange->query_end = at;
}

bool exchange_query_next(const struct exchange *exchange, const char **at, struct slice *ret_name,
			 const char **ret_value)
{
	const char *from = *at ? *at : exchange->query;

	while (from < exchange->query_end && *from == '\0')
		from++;
	if (from >= exchange->query_end)
		return false;
	size_t len = strlen(from);
	size_t name_len = strcspn(from, "=");
	*ret_name = (struct slice){.data = from, .len = name_len};
	*ret_value = from + (name_len < len ? name_len + 1 : len);
	*at = from + len;
	return true;
}

const char *exchange_query(const struct exchange *exchange, const char *name)
{
	const char *at = NULL;
	const char *value = NULL;
	const struct slice wanted = slice_of(name);
	struct slice met;

	while (exchange_query_next(exchange, &at, &met, &value))
		if (met.len == wanted.len && memcmp(met.data, wanted.data, met.len) == 0)
			return value;
	return NULL;
}
