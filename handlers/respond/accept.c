#include "handlers/respond/accept.h"

/* Takes what stands before the next `separator` from the front of *rest, without blanks around it.
 * False: nothing is left. */
static bool take(struct slice *rest, char separator, struct slice *ret)
{
	if (rest->len == 0)
		return false;
	const char *end = memchr(rest->data, separator, rest->len);
	size_t len = end ? (size_t)(end - rest->data) : rest->len;
	size_t taken = end ? len + 1 : len;

	*ret = slice_trim((struct slice){rest->data, len});
	*rest = (struct slice){rest->data + taken, rest->len - taken};
	return true;
}

/* RFC 9110, 8.4.1: the older names of these two mean the same. */
static struct slice without_x(struct slice coding)
{
	if (slice_equal_in_any_case(coding, SLICE("x-gzip")) ||
	    slice_equal_in_any_case(coding, SLICE("x-compress")))
		return (struct slice){coding.data + 2, coding.len - 2};
	return coding;
}

/* A weight (RFC 9110, 12.4.2) in thousandths; -1: it is none. */
static int parse_weight(struct slice text)
{
	int weight = 0, unit = 100;

	if (text.len == 0 || text.len > 5 || (text.data[0] != '0' && text.data[0] != '1') ||
	    (text.len > 1 && text.data[1] != '.'))
		return -1;
	for (size_t i = 2; i < text.len; i++, unit /= 10) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return -1;
		weight += (text.data[i] - '0') * unit;
	}
	if (text.data[0] == '1')
		return weight == 0 ? 1000 : -1;
	return weight;
}

/* Reads an element, "gzip;q=0.5". False: it is none. */
static bool read_element(struct slice element, struct slice *ret_coding, int *ret_weight)
{
	struct slice parameter;

	*ret_weight = 1000;
	if (!take(&element, ';', ret_coding) || ret_coding->len == 0)
		return false;
	while (take(&element, ';', &parameter))
		if (parameter.len >= 2 && (parameter.data[0] == 'q' || parameter.data[0] == 'Q') &&
		    parameter.data[1] == '=') {
			*ret_weight =
				parse_weight((struct slice){parameter.data + 2, parameter.len - 2});
			return *ret_weight >= 0;
		}
	return true;
}

int accept_quality(const struct request *request, struct slice coding)
{
	const char *line = request_header(request, "Accept-Encoding");
	struct slice wanted = without_x(coding);
	int of_any = -1;

	if (!line)
		return ACCEPT_UNSAID;
	for (size_t i = 1; line; line = request_header_line(request, "Accept-Encoding", i++)) {
		struct slice rest = slice_of(line), element, found;
		int weight;

		while (take(&rest, ',', &element)) {
			if (!read_element(element, &found, &weight))
				continue;
			if (slice_equal_in_any_case(without_x(found), wanted))
				return weight;
			if (of_any < 0 && slice_equal(found, SLICE("*")))
				of_any = weight;
		}
	}
	if (slice_equal_in_any_case(wanted, SLICE("identity")))
		return of_any < 0 ? 1 : of_any;
	return of_any < 0 ? 0 : of_any;
}

int accept_quality_of_all(const struct request *request, struct slice codings)
{
	struct slice coding;
	int least = 1000;

	while (take(&codings, ',', &coding)) {
		int weight = coding.len > 0 ? accept_quality(request, coding) : 1000;

		least = weight < least ? weight : least;
	}
	return least;
}
