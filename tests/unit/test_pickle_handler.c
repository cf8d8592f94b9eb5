/* POST /pickle without a server; over HTTP in tests/conformance/pickle.c. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/handlers.h"
#include "tests/support/fake_request.h"

static void ask(struct fake_request *fake, struct slice body)
{
	fake_request_init(fake);
	fake->request.method = HTTP_POST;
	if (body.len > 0)
		fake_request_body(fake, body, "application/octet-stream");
	cr_assert_eq(fake_request_start(fake, &handler_pickle_view), STEP_RESPOND);
}

static void expect_answer(struct fake_request *fake, unsigned status, const char *part)
{
	struct slice body = fake_response_body(fake);

	cr_expect_eq(fake->response.status, status);
	cr_expect_not_null(memmem(body.data, body.len, part, strlen(part)), "%.*s", (int)body.len,
			   body.data);
	fake_request_close(fake);
}

Test(pickle_handler, the_body_has_a_bound_of_its_own)
{
	size_t len = (size_t)8 << 20;
	char *value = calloc(1, len + 1);
	struct fake_request fake;

	cr_assert_not_null(value);
	memset(value, 'A', len + 1);
	ask(&fake, (struct slice){.data = value, .len = len + 1});
	expect_answer(&fake, 413, "up to 8388608 are shown");
	ask(&fake, (struct slice){.data = value, .len = len});
	expect_answer(&fake, 422, "at byte 0 of the pickle");
	free(value);
}

/* 8 MiB of empty lists would be a graph of half a gigabyte. */
Test(pickle_handler, the_graph_has_a_bound)
{
	size_t len = (size_t)8 << 20;
	char *value = malloc(len);
	struct fake_request fake;

	cr_assert_not_null(value);
	memset(value, ']', len);
	memcpy(value, "\x80\x04(", 3);
	memcpy(value + len - 2, "t.", 2);
	ask(&fake, (struct slice){.data = value, .len = len});
	expect_answer(&fake, 422, "memory");
	free(value);
}

/* It may take longer than others on the same event loop can wait. */
Test(pickle_handler, it_runs_beside_the_event_loop)
{
	cr_expect(handler_pickle_view.is_heavy);
}
