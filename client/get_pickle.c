#include "client/get_pickle.h"

#include <errno.h>

#include "client/client.h"
#include "client/output.h"
#include "pickle/view.h"

/* A value is in memory as a whole, and its graph and its text are beside it. */
#define VALUE_MAX_BYTES ((size_t)256 << 20)
#define TEXT_MAX_BYTES  ((size_t)1 << 30)

bool get_pickle_collect(void *user, struct slice bytes)
{
	struct buffer *value = user;

	errno = EFBIG;
	if (bytes.len > VALUE_MAX_BYTES - value->len)
		return false;
	errno = ENOMEM;
	buffer_append(value, bytes);
	return !value->failed;
}

int get_pickle_uncollected(void)
{
	if (errno == EFBIG)
		return client_fail(CLIENT_LOCAL,
				   "the value is longer than %zu MiB, the most that --pickle "
				   "shows; leave it out for the bytes",
				   VALUE_MAX_BYTES >> 20);
	return client_fail(CLIENT_LOCAL, "out of memory");
}

int get_pickle_text(struct slice value, bool is_terminal, struct buffer *ret)
{
	struct pickle_view view = {
		.max_bytes = TEXT_MAX_BYTES,
		.is_whole = true,
		.is_exact = !is_terminal,
	};
	struct pickle_error error;

	bool is_pickle = pickle_view_value(value, NULL, &view, &error);
	*ret = view.text;
	if (!is_pickle && error.is_memory)
		return client_fail(CLIENT_LOCAL, "out of memory");
	if (!is_pickle)
		return client_fail(CLIENT_REFUSED,
				   "the value is neither a pickle nor base64 of one: %s (at byte "
				   "%llu of the pickle); leave --pickle out for the bytes",
				   error.text, (unsigned long long)error.offset);
	if (view.is_cut)
		(void)client_fail(0, "the text leaves something out; it says where");
	if (ret->len == 0 || ret->data[ret->len - 1] != '\n')
		buffer_append_char(ret, '\n');
	return ret->failed ? client_fail(CLIENT_LOCAL, "out of memory") : CLIENT_DONE;
}
